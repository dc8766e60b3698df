/* SPDX-License-Identifier: MIT */
/* Handing a job over; see handover.h. */
#include "handover.h"

#include <string.h>
#include <unistd.h>

#include "controller/backends/kube/bundle.h"
#include "controller/backends/kube/indexed.h"
#include "controller/backends/kube/job.h"
#include "controller/backends/kube/manifest.h"
#include "controller/backends/kube/pod.h"
#include "controller/backends/kube/pod_init.h"
#include "controller/backends/kube/secret.h"
#include "controller/oci/oci.h"
#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "init/base/log.h"

#define JOBS "/apis/batch/v1"
#define CORE "/api/v1"
#define RANK "BERTH_RANK" /* a variable of pods that are several of one Job */

/*
 * With a command in its place nobody knows the image's own entrypoint any more, and the API server
 * never did: the registry tells.
 */
static int ask_registry(const struct spec *spec, struct oci_image *ret, struct err *err)
{
	struct err own;

	if (spec->entrypoint || spec->script || oci_inspect(spec->image, NULL, ret, &own) == 0)
		return 0;
	return err_set(
		err, own.kind,
		"what image '%.80s' runs is not known (%.200s): say --entrypoint PROGRAM, or "
		"--entrypoint '' for the command alone",
		spec->image, own.text);
}

static int plan_bundle(const char *dir, const struct kube_images *images, bool is_real,
		       struct kube_bundle *ret, struct err *err)
{
	*ret = (struct kube_bundle){ .image = images->bundle_image,
				     .volume = images->bundle_volume,
				     .name = "berth-bundle",
				     .maps = 1 };
	if (ret->image || ret->volume || !is_real)
		return 0;
	return kube_bundle_plan(dir, ret, err);
}

static void add_init(json_t *body, const struct submission *submission,
		     const struct kube_bundle *bundle, const struct oci_image *image)
{
	json_t *template = kube_object_at(kube_object_at(body, "spec"), "template");
	json_t *pod = kube_object_at(template, "spec"), *container = kube_find_container(pod);
	bool has_ranks = kube_item_with(json_object_get(container, "env"), "name", RANK);

	kube_add_init(pod, container, submission, bundle, image, has_ranks ? "$(" RANK ")" : "0");
	if (!bundle->image && !bundle->volume)
		kube_set_text(kube_object_at(kube_object_at(body, "metadata"), "labels"),
			      KUBE_LABEL_BUNDLE, bundle->name);
}

int kube_compose(const struct submission *submission, const struct kube_images *images,
		 bool is_real, json_t **ret, struct err *err)
{
	cleanup(oci_image_finish) struct oci_image image = { 0 };
	cleanup(json_release) json_t *body = NULL;
	struct kube_bundle bundle;

	/* What is wrong with it is told before anybody is asked. */
	if (kube_make_job(submission, &body, err) < 0 ||
	    (is_real && ask_registry(submission->spec, &image, err) < 0) ||
	    plan_bundle(submission->bundle, images, is_real, &bundle, err) < 0)
		return -1;
	add_init(body, submission, &bundle, &image);
	*ret = take_ptr(body);
	return 0;
}

int kube_delete_job(struct kube *kube, const struct job *job, const char *policy, struct err *err)
{
	cleanup_free char *name = kube_job_name(job);
	cleanup_free char *path = kube_path(kube, JOBS, "jobs", name);
	cleanup(json_release) json_t *options =
		json_pack("{s:s, s:s, s:s}", "apiVersion", "v1", "kind", "DeleteOptions",
			  "propagationPolicy", policy);
	const struct kube_call call = { .method = "DELETE", .path = path, .body = options };
	struct err own;

	if (kube_call(kube, &call, NULL, &own) == 0 || own.kind == ERR_NOT_FOUND)
		return 0;
	return err_set(err, own.kind, "%s", own.text);
}

/* Names for ranks. One that is there already is that of the same job. */
static int put_service(struct kube *kube, const struct job *job, const json_t *made,
		       struct err *err)
{
	cleanup(json_release) json_t *service = NULL;
	struct kube_call call = { .method = "POST" };
	cleanup_free char *path = NULL;
	struct err own;

	if (job->tasks <= 1)
		return 0;
	service = kube_make_service(job, made);
	path = kube_path(kube, CORE, "services", NULL);
	call.path = path;
	call.body = service;
	if (kube_call(kube, &call, NULL, &own) == 0 || own.kind == ERR_EXISTS)
		return 0;
	return err_set(err, own.kind, "the Service that gives ranks their names: %s", own.text);
}

static int complete(struct kube *kube, const struct job *job, const char *dir,
		    const struct kube_images *images, const json_t *made, struct err *err)
{
	struct kube_bundle bundle;

	if (kube_put_secret(kube, job, made, err) < 0 || put_service(kube, job, made, err) < 0 ||
	    plan_bundle(dir, images, true, &bundle, err) < 0)
		return -1;
	return kube_bundle_bring(kube, dir, &bundle, err);
}

int kube_complete(struct kube *kube, const struct job *job, const struct kube_images *images,
		  const json_t *made, struct err *err)
{
	cleanup_free char *link = fs_join(job->directory, "bundle");
	char dir[4096];
	ssize_t len = readlink(link, dir, sizeof(dir) - 1);

	if (len < 0)
		return err_set_errno(err, errno, "%s", link);
	dir[len] = '\0';
	return complete(kube, job, dir, images, made, err);
}

/*
 * A server without the feature leaves the field out and says nothing: the volume would be an empty
 * directory, and the pod would fail for want of berth-init.
 */
static int check_volume(const struct kube_images *images, const json_t *made, struct err *err)
{
	if (!images->bundle_volume || kube_has_image_volume(made))
		return 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "this server has no volumes that are images (its feature ImageVolume): set "
		       "'bundle_image' of the cluster in place of 'bundle_volume'");
}

int kube_hand_over(struct kube *kube, const struct submission *submission,
		   const struct kube_images *images, struct err *err)
{
	cleanup_free char *path = kube_path(kube, JOBS, "jobs", NULL);
	cleanup(json_release) json_t *body = NULL;
	cleanup(json_release) json_t *made = NULL;
	struct kube_call call = { .method = "POST", .path = path };

	if (kube_compose(submission, images, true, &body, err) < 0)
		return -1;
	call.body = body;
	if (kube_call(kube, &call, &made, err) < 0)
		return -1;
	if (check_volume(images, made, err) == 0 &&
	    complete(kube, submission->job, submission->bundle, images, made, err) == 0)
		return 0;
	/* The first error is the one to report; 'berth gc' finds what is left. */
	if (kube_delete_job(kube, submission->job, "Background", NULL) < 0)
		log_debug("job %s is left over", submission->job->uid);
	return -1;
}
