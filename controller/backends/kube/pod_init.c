/* SPDX-License-Identifier: MIT */
/* berth-init in a pod; see pod_init.h. */
#include "pod_init.h"

#include <inttypes.h>
#include <string.h>

#include "controller/backends/jobdir.h"
#include "controller/backends/kube/indexed.h"
#include "controller/backends/kube/job.h"
#include "controller/backends/kube/manifest.h"
#include "controller/backends/kube/pod.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define BUNDLE_MOUNT "/berth"
#define BUNDLE_DIR "/berth" /* in an image that has it */
#define PARTS_MOUNT "/berth-parts"
#define COPY_MOUNT "/berth-copy"
#define SECRET_MOUNT "/berth-secret"

/* Names of volumes and containers. */
#define BUNDLE "berth-bundle"
#define PARTS "berth-parts"
#define JOB "berth-job"
#define SECRET "berth-secret"

#define MODE_PROGRAMS 0555
#define MODE_READABLE 0444

uint16_t kube_port(const struct job *job)
{
	return jobdir_port(job);
}

const char *kube_programs_dir(const struct kube_bundle *bundle)
{
	return bundle->volume ? BUNDLE_MOUNT BUNDLE_DIR : BUNDLE_MOUNT;
}

static void add_mount(json_t *container, const char *volume, const char *path, bool is_read_only)
{
	json_t *mount = json_pack("{s:s, s:s}", "name", volume, "mountPath", path);

	if (is_read_only)
		json_object_set_new(mount, "readOnly", json_true());
	json_array_append_new(kube_array_at(container, "volumeMounts"), mount);
}

static json_t *parts_volume(const struct kube_bundle *bundle)
{
	json_t *sources = json_array();

	for (unsigned int i = 1; i <= bundle->maps; i++) {
		cleanup_free char *name = str_printf("%s-%u", bundle->name, i);

		json_array_append_new(sources, json_pack("{s:{s:s}}", "configMap", "name", name));
	}
	return json_pack("{s:s, s:{s:o, s:i}}", "name", PARTS, "projected", "sources", sources,
			 "defaultMode", MODE_PROGRAMS);
}

static void add_volumes(json_t *pod, const struct job *job, const struct kube_bundle *bundle)
{
	json_t *volumes = kube_array_at(pod, "volumes");
	cleanup_free char *secret = kube_job_name(job);

	if (bundle->volume)
		json_array_append_new(volumes, json_pack("{s:s, s:{s:s}}", "name", BUNDLE, "image",
							 "reference", bundle->volume));
	else
		json_array_append_new(volumes,
				      json_pack("{s:s, s:{}}", "name", BUNDLE, "emptyDir"));
	if (!bundle->volume && !bundle->image)
		json_array_append_new(volumes, parts_volume(bundle));
	json_array_append_new(volumes, json_pack("{s:s, s:{}}", "name", JOB, "emptyDir"));
	json_array_append_new(volumes,
			      json_pack("{s:s, s:{s:s, s:i}}", "name", SECRET, "secret",
					"secretName", secret, "defaultMode", MODE_READABLE));
}

/* CPUs and memory as the job's, at the same time as whom none of these runs: it costs nothing. */
static json_t *share_of(const json_t *resources, const char *which)
{
	static const char *const kinds[] = { "cpu", "memory", "ephemeral-storage" };
	const json_t *from = json_object_get(resources, which);
	json_t *share = json_object();

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		json_t *value = json_object_get(from, kinds[i]);

		if (value)
			json_object_set(share, kinds[i], value);
	}
	return share;
}

/* What a namespace asks of every container, this one has as the job's has it. */
static json_t *make_init(const char *name, const char *image, const json_t *container,
			 const char *program, json_t *installs)
{
	json_t *init = json_pack("{s:s, s:s}", "name", name, "image", image), *words = json_array();
	const json_t *resources = json_object_get(container, "resources");
	json_t *security = json_object_get(container, "securityContext"), *what;
	size_t i;

	json_array_append_new(words, json_sprintf("%s/berth-init", program));
	json_array_foreach(installs, i, what) {
		json_array_append_new(words, json_string("--install"));
		json_array_append(words, what);
	}
	json_object_set_new(init, "command", words);
	if (security)
		json_object_set_new(init, "securityContext", json_deep_copy(security));
	if (json_object_size(resources) > 0)
		json_object_set_new(init, "resources",
				    json_pack("{s:o, s:o}", "requests",
					      share_of(resources, "requests"), "limits",
					      share_of(resources, "limits")));
	return init;
}

/* By the image that has the programs. */
static json_t *make_copier(const json_t *container, const struct kube_bundle *bundle)
{
	cleanup(json_release) json_t *installs =
		json_pack("[s]", BUNDLE_DIR ":" COPY_MOUNT ":0555");
	json_t *init = make_init(BUNDLE, bundle->image, container, BUNDLE_DIR, installs);

	add_mount(init, BUNDLE, COPY_MOUNT, false);
	return init;
}

/* By the job's image. */
static json_t *make_installer(const json_t *container, const struct kube_bundle *bundle)
{
	cleanup(json_release) json_t *installs = json_array();
	bool has_parts = !bundle->volume && !bundle->image;
	const char *program = has_parts ? PARTS_MOUNT : kube_programs_dir(bundle);
	const char *image = json_string_value(json_object_get(container, "image"));
	json_t *pull = json_object_get(container, "imagePullPolicy"), *init;

	if (has_parts)
		json_array_append_new(installs, json_string(PARTS_MOUNT ":" BUNDLE_MOUNT ":0555"));
	json_array_append_new(installs, json_string(SECRET_MOUNT ":" KUBE_JOB_DIR ":0700"));
	init = make_init(JOB, image, container, program, installs);
	if (pull)
		json_object_set(init, "imagePullPolicy", pull);
	add_mount(init, BUNDLE, BUNDLE_MOUNT, !has_parts);
	if (has_parts)
		add_mount(init, PARTS, PARTS_MOUNT, true);
	add_mount(init, SECRET, SECRET_MOUNT, true);
	add_mount(init, JOB, KUBE_JOB_MOUNT, false);
	return init;
}

static void add_option(json_t *command, const char *option, const char *value)
{
	json_array_append_new(command, json_string(option));
	json_array_append_new(command, json_string(value));
}

/* Which task and which rank the number of a pod is, where it is not simply that. */
static void add_task(json_t *command, const struct submission *submission)
{
	const struct spec *spec = submission->spec;
	uint64_t ranks = spec_ranks(spec);
	cleanup_free char *count = str_printf("%" PRIu64, ranks);
	cleanup_free char *hosts = kube_host_pattern(submission->job);

	if (!spec->array || (ranks <= 1 && kube_is_plain_array(spec->array)))
		return;
	add_option(command, "--indices", spec->array);
	if (ranks > 1) {
		add_option(command, "--ranks", count);
		add_option(command, "--hosts", hosts);
	}
}

static void set_command(json_t *container, const struct submission *submission,
			const struct kube_bundle *bundle, const struct oci_image *image,
			const char *rank)
{
	json_t *own = json_object_get(container, "command"), *args = json_array();
	const struct spec *spec = submission->spec;
	json_t *command = json_array();

	json_array_append_new(command, json_sprintf("%s/berth-init", kube_programs_dir(bundle)));
	add_option(command, "--dir", KUBE_JOB_DIR);
	add_option(command, "--rank", rank);
	add_task(command, submission);
	if (spec->hold)
		add_option(command, "--hold", spec->hold);
	json_array_append_new(command, json_string("--"));
	if (spec->script) {
		json_array_append_new(args, json_string(KUBE_JOB_DIR "/" SPEC_SCRIPT_NAME));
	} else {
		for (size_t i = 0; !own && image && i < image->entrypoint.len; i++)
			json_array_append_new(args, kube_literal(image->entrypoint.items[i]));
		json_array_extend(args, own);
		json_array_extend(args, json_object_get(container, "args"));
	}
	json_object_set_new(container, "command", command);
	json_object_set_new(container, "args", args);
}

bool kube_has_image_volume(const json_t *job)
{
	const json_t *spec = json_object_get(job, "spec");
	const json_t *pod = json_object_get(json_object_get(spec, "template"), "spec");
	const json_t *volume = kube_item_with(json_object_get(pod, "volumes"), "name", BUNDLE);

	return json_object_get(volume, "image");
}

void kube_add_init(json_t *pod, json_t *container, const struct submission *submission,
		   const struct kube_bundle *bundle, const struct oci_image *image,
		   const char *rank)
{
	json_t *inits = kube_array_at(pod, "initContainers");

	set_command(container, submission, bundle, image, rank);
	json_array_insert_new(inits, 0, make_installer(container, bundle));
	if (bundle->image && !bundle->volume)
		json_array_insert_new(inits, 0, make_copier(container, bundle));
	add_volumes(pod, submission->job, bundle);
	add_mount(container, BUNDLE, BUNDLE_MOUNT, true);
	add_mount(container, JOB, KUBE_JOB_MOUNT, false);
}
