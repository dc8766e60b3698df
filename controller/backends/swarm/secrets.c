/* SPDX-License-Identifier: MIT */
/* The files of a job as Secrets; see secrets.h. */
#include "secrets.h"

#include <string.h>

#include "controller/backends/docker/create.h"
#include "controller/backends/jobdir.h"
#include "controller/backends/swarm/lists.h"
#include "controller/backends/swarm/service.h"
#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "init/base/text.h"

#define SESSION "session.json"

static const char *const files[] = { "tunnel.json", SESSION, SPEC_SCRIPT_NAME };

/* Where nobody can read the endpoint file, the port has to be known before. */
static int add_port(struct buf *text, const struct job *job, struct err *err)
{
	cleanup(json_release) json_t *json = NULL;
	cleanup_free char *all = NULL;

	if (json_parse(buf_span(text), SWARM_SECRET_MAX, &json, err) < 0)
		return err_wrap(err, SESSION);
	json_object_set_new(json, "port", json_integer(jobdir_port(job)));
	all = json_dumps(json, JSON_COMPACT);
	buf_clear(text);
	if (!all || !buf_append(text, all, strlen(all)))
		return err_set(err, ERR_LIMIT, SESSION ": is too long");
	return 0;
}

/* The id of one that is there already: a name is never used for anything else. */
static int find_secret(struct engine *engine, const char *name, json_t **ret_id, struct err *err)
{
	cleanup_free char *path = str_printf("/secrets/%s", name);
	const struct engine_call call = { .path = path };
	cleanup(json_release) json_t *answer = NULL;

	if (engine_call(engine, &call, &answer, err) < 0)
		return -1;
	*ret_id = json_incref(json_object_get(answer, "ID"));
	return 0;
}

static int create(struct engine *engine, const struct job *job, const char *file,
		  struct span content, json_t **ret_id, struct err *err)
{
	cleanup_free char *name = swarm_secret_name(job, file), *text = NULL;
	cleanup(json_release) json_t *body = NULL;
	cleanup(json_release) json_t *answer = NULL;
	struct engine_call call = { .method = "POST", .path = "/secrets/create" };
	size_t size = TEXT_BASE64_SIZE(content.len);
	struct err own;

	text = new_array(char, size);
	text_base64(content, text, size);
	body = json_pack("{s:s, s:{s:s}, s:s}", "Name", name, "Labels", DOCKER_LABEL_UID, job->uid,
			 "Data", text);
	explicit_bzero(text, size);
	call.body = body;
	if (engine_call(engine, &call, &answer, &own) == 0) {
		*ret_id = json_incref(json_object_get(answer, "ID"));
		return 0;
	}
	if (own.kind == ERR_EXISTS)
		return find_secret(engine, name, ret_id, err);
	return err_set(err, own.kind, "the keys of the job: %s", own.text);
}

static int put(struct engine *engine, const struct job *job, const char *file, json_t *ids,
	       struct err *err)
{
	cleanup_free char *path = fs_join(job->directory, file);
	cleanup(buf_wipe) struct buf content = BUF_INIT(SWARM_SECRET_MAX);
	json_t *id = NULL;

	if (!fs_exists(path))
		return 0;
	if (fs_read_file(path, SWARM_SECRET_MAX, &content, err) < 0 ||
	    (strcmp(file, SESSION) == 0 && add_port(&content, job, err) < 0) ||
	    create(engine, job, file, buf_span(&content), &id, err) < 0)
		return -1;
	if (!json_is_string(id)) {
		json_decref(id);
		return err_set(err, ERR_PROTOCOL, "the engine gave a Secret no id");
	}
	json_object_set_new(ids, file, id);
	return 0;
}

int swarm_put_secrets(struct engine *engine, const struct job *job, json_t **ret, struct err *err)
{
	cleanup(json_release) json_t *ids = json_object();

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (put(engine, job, files[i], ids, err) < 0)
			return -1;
	}
	*ret = take_ptr(ids);
	return 0;
}

json_t *swarm_plan_secrets(const struct submission *submission)
{
	json_t *all = json_object();

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (strcmp(files[i], SPEC_SCRIPT_NAME) != 0 || submission->spec->script)
			json_object_set_new(all, files[i], json_null());
	}
	return all;
}

int swarm_remove_secrets(struct engine *engine, const struct job *job, struct err *err)
{
	cleanup_free char *label = str_printf(DOCKER_LABEL_UID "=%s", job->uid);
	cleanup(json_release) json_t *secrets = NULL;
	json_t *secret;
	size_t i;

	if (swarm_list(engine, "secrets", "label", label, &secrets, err) < 0)
		return -1;
	json_array_foreach(secrets, i, secret) {
		const char *id = json_string_value(json_object_get(secret, "ID"));

		if (id && swarm_remove(engine, "secrets", id, err) < 0)
			return -1;
	}
	return 0;
}
