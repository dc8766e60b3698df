/* SPDX-License-Identifier: MIT */
/* The files of a job as a Secret; see secret.h. */
#include "secret.h"

#include <string.h>

#include "controller/backends/kube/job.h"
#include "controller/backends/kube/pod_init.h"
#include "init/base/fs.h"
#include "init/base/text.h"

#define CORE "/api/v1"
#define SECRETS "secrets"
#define SESSION "session.json"

static const struct {
	const char *name;
	bool is_needed;
} files[] = { { "tunnel.json", true }, { SESSION, false }, { SPEC_SCRIPT_NAME, false } };

/* Where nobody can read the endpoint file, the port has to be known before. */
static int add_port(struct buf *text, const struct job *job, struct err *err)
{
	cleanup(json_release) json_t *json = NULL;
	cleanup_free char *all = NULL;

	if (json_parse(buf_span(text), KUBE_SECRET_MAX, &json, err) < 0)
		return err_wrap(err, SESSION);
	json_object_set_new(json, "port", json_integer(kube_port(job)));
	all = json_dumps(json, JSON_COMPACT);
	buf_clear(text);
	if (!all || !buf_append(text, all, strlen(all)))
		return err_set(err, ERR_LIMIT, SESSION ": is too long");
	return 0;
}

static int add_file(const struct job *job, const char *name, bool is_needed, json_t *data,
		    struct err *err)
{
	cleanup_free char *path = fs_join(job->directory, name), *text = NULL;
	cleanup(buf_wipe) struct buf content = BUF_INIT(KUBE_SECRET_MAX);
	size_t size;

	if (!is_needed && !fs_exists(path))
		return 0;
	if (fs_read_file(path, KUBE_SECRET_MAX, &content, err) < 0 ||
	    (strcmp(name, SESSION) == 0 && add_port(&content, job, err) < 0))
		return -1;
	size = (buf_len(&content) + 2) / 3 * 4 + 1;
	text = new_array(char, size);
	text_base64(buf_span(&content), text, size);
	json_object_set_new(data, name, json_string(text));
	explicit_bzero(text, size);
	return 0;
}

/* The library frees texts as they are. */
static void release_secret(json_t *secret)
{
	const char *name;
	json_t *value;

	json_object_foreach(json_object_get(secret, "data"), name, value)
		explicit_bzero((char *)(uintptr_t)json_string_value(value),
			       json_string_length(value));
	json_decref(secret);
}
DEFINE_CLEANUP(json_t, release_secret)

static int make_secret(const struct job *job, json_t **ret, struct err *err)
{
	cleanup_free char *name = kube_job_name(job);
	cleanup(release_secret) json_t *secret = json_pack(
		"{s:s, s:s, s:{s:s, s:{s:s, s:s}}, s:{}}", "apiVersion", "v1", "kind", "Secret",
		"metadata", "name", name, "labels", "app.kubernetes.io/managed-by", "berth",
		KUBE_LABEL_UID, job->uid, "data");

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (add_file(job, files[i].name, files[i].is_needed,
			     json_object_get(secret, "data"), err) < 0)
			return -1;
	}
	*ret = take_ptr(secret);
	return 0;
}

static const char *meta(const json_t *object, const char *key)
{
	const char *text =
		json_string_value(json_object_get(json_object_get(object, "metadata"), key));

	return text ? text : "";
}

int kube_put_secret(struct kube *kube, const struct job *job, const json_t *made, struct err *err)
{
	cleanup_free char *path = kube_path(kube, CORE, SECRETS, NULL);
	cleanup(release_secret) json_t *secret = NULL;
	struct kube_call call = { .method = "POST", .path = path };
	struct err own;

	if (make_secret(job, &secret, err) < 0)
		return -1;
	json_object_set_new(json_object_get(secret, "metadata"), "ownerReferences",
			    json_pack("[{s:s, s:s, s:s, s:s}]", "apiVersion", "batch/v1", "kind",
				      "Job", "name", meta(made, "name"), "uid", meta(made, "uid")));
	call.body = secret;
	if (kube_call(kube, &call, NULL, &own) == 0 || own.kind == ERR_EXISTS)
		return 0;
	return err_set(err, own.kind, "the keys of the job: %s", own.text);
}

int kube_renew_secret(struct kube *kube, const struct job *job, struct err *err)
{
	cleanup_free char *name = kube_job_name(job);
	cleanup_free char *path = kube_path(kube, CORE, SECRETS, name);
	cleanup(release_secret) json_t *secret = NULL;
	struct kube_call call = { .method = "PATCH",
				  .path = path,
				  .content_type = "application/merge-patch+json",
				  .may_repeat = true };

	if (make_secret(job, &secret, err) < 0)
		return -1;
	call.body = secret;
	return kube_call(kube, &call, NULL, err);
}
