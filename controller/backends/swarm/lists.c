/* SPDX-License-Identifier: MIT */
/* What a Swarm has; see lists.h. */
#include "lists.h"

#include "init/base/alloc.h"
#include "init/base/text.h"

#define FILTER_MAX 4096

const char *swarm_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static char *make_path(const char *kind, const char *filter, const char *value)
{
	cleanup(json_release) json_t *filters = NULL;
	cleanup(buf_finish) struct buf path = BUF_INIT(FILTER_MAX);
	cleanup_free char *text = NULL;

	if (!filter)
		return str_printf("/%s", kind);
	filters = json_pack("{s:[s]}", filter, value);
	text = json_dumps(filters, JSON_COMPACT);
	if (!text || !buf_printf(&path, "/%s?filters=", kind) || !text_append_percent(&path, text))
		return NULL;
	return buf_take_str(&path);
}

int swarm_list(struct engine *engine, const char *kind, const char *filter, const char *value,
	       json_t **ret, struct err *err)
{
	cleanup_free char *path = make_path(kind, filter, value);
	const struct engine_call call = { .path = path };
	cleanup(json_release) json_t *answer = NULL;

	if (!path)
		return err_set(err, ERR_INVALID, "'%.40s...' is too long", value);
	if (engine_call(engine, &call, &answer, err) < 0)
		return -1;
	if (!json_is_array(answer))
		return err_set(err, ERR_PROTOCOL, "the engine's list of %s is none", kind);
	*ret = take_ptr(answer);
	return 0;
}

int swarm_remove(struct engine *engine, const char *kind, const char *name, struct err *err)
{
	cleanup_free char *path = str_printf("/%s/%s", kind, name);
	const struct engine_call call = { .method = "DELETE", .path = path };
	struct err own;

	if (engine_call(engine, &call, NULL, &own) == 0 || own.kind == ERR_NOT_FOUND)
		return 0;
	return err_set(err, own.kind, "%s", own.text);
}

int swarm_find_self(struct engine *engine, char **ret, struct err *err)
{
	const struct engine_call call = { .path = "/info" };
	cleanup(json_release) json_t *answer = NULL;
	const json_t *swarm;

	if (engine_call(engine, &call, &answer, err) < 0)
		return -1;
	swarm = json_object_get(answer, "Swarm");
	if (!json_is_true(json_object_get(swarm, "ControlAvailable")))
		return err_set(err, ERR_UNAVAILABLE,
			       "%s is no manager of a Swarm: set the cluster's 'url' to one, or "
			       "make one with 'docker swarm init'",
			       engine->address);
	*ret = str_dup(swarm_text(swarm, "NodeID"));
	return 0;
}
