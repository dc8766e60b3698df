/* SPDX-License-Identifier: MIT */
/* The pod of a job; see pod.h. */
#include "pod.h"

#include <string.h>

#include "controller/backends/kube/manifest.h"
#include "controller/model/container.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define ID_MAX INT32_MAX

json_t *kube_find_container(json_t *pod)
{
	json_t *containers = kube_array_at(pod, "containers"), *container;
	size_t i;

	json_array_foreach(containers, i, container) {
		const char *name = json_string_value(json_object_get(container, "name"));

		if (name && strcmp(name, KUBE_CONTAINER) == 0)
			return container;
	}
	container = json_array_get(containers, 0);
	if (!json_is_object(container)) {
		container = json_object();
		json_array_insert_new(containers, 0, container);
	}
	kube_set_text(container, "name", KUBE_CONTAINER);
	return container;
}

json_t *kube_literal(const char *text)
{
	cleanup(buf_finish) struct buf twice = BUF_INIT(2 * strlen(text) + 1);

	if (!strstr(text, "$$") && !strstr(text, "$("))
		return json_string(text);
	for (const char *p = text; *p; p++) {
		if (!buf_append(&twice, p, 1) || (*p == '$' && !buf_append(&twice, p, 1)))
			break;
	}
	return json_string(buf_str(&twice));
}

/*
 * Without an entrypoint the words are arguments of the image's own, as with `docker run`; with an
 * empty one they are all there is.
 */
static void set_command(json_t *container, const struct spec *spec)
{
	json_t *words = json_array(), *command = json_array();

	for (const char *const *word = spec->command; *word; word++)
		json_array_append_new(words, kube_literal(*word));
	json_object_del(container, "command");
	json_object_del(container, "args");
	if (!spec->entrypoint) {
		json_object_set(container, "args", words);
	} else if (spec->entrypoint[0]) {
		json_array_append_new(command, kube_literal(spec->entrypoint));
		json_object_set(container, "command", command);
		json_object_set(container, "args", words);
	} else {
		json_object_set(container, "command", words);
	}
	json_decref(words);
	json_decref(command);
}

static void set_env(json_t *container, const struct spec *spec)
{
	json_t *env = kube_array_at(container, "env");

	for (size_t i = 0; i < spec->env.len; i++) {
		const char *text = spec->env.items[i];
		cleanup_free char *name = str_dup_len(text, strcspn(text, "="));
		const char *value = strchr(text, '=');

		kube_put_item(env, "name",
			      json_pack("{s:s, s:o}", "name", name, "value",
					kube_literal(value ? value + 1 : "")));
	}
	if (json_array_size(env) == 0)
		json_object_del(container, "env");
}

/* Numbers only: names are known to the image, and not to the API server. */
static int set_user(json_t *container, const char *user, struct err *err)
{
	char chosen[CONTAINER_USER_SIZE], *colon;
	json_t *context;
	uint64_t id;

	if (!user)
		return 0;
	if (container_choose_user(user, chosen, err) < 0)
		return -1;
	context = kube_object_at(container, "securityContext");
	colon = strchr(chosen, ':');
	if (colon)
		*colon++ = '\0';
	for (int i = 0; i < 2; i++) {
		const char *side = i == 0 ? chosen : colon;

		if (!side || side[0] == '\0')
			continue;
		if (!text_parse_uint(side, ID_MAX, &id))
			return err_set(err, ERR_UNSUPPORTED,
				       "--user: '%.40s': a pod takes numbers, such as 1000:1000",
				       side);
		json_object_set_new(context, i == 0 ? "runAsUser" : "runAsGroup",
				    json_integer((json_int_t)id));
	}
	return 0;
}

static void set_pull(json_t *container, const char *pull)
{
	static const struct {
		const char *word, *policy;
	} policies[] = { { "always", "Always" },
			 { "missing", "IfNotPresent" },
			 { "never", "Never" } };

	for (size_t i = 0; pull && i < ARRAY_LEN(policies); i++) {
		if (strcmp(policies[i].word, pull) == 0)
			kube_set_text(container, "imagePullPolicy", policies[i].policy);
	}
}

int kube_fill_pod(json_t *pod, const struct spec *spec, struct err *err)
{
	json_t *container = kube_find_container(pod);

	kube_set_text(pod, "restartPolicy", "Never");
	if (spec->network)
		json_object_set_new(pod, "hostNetwork", json_true());
	kube_set_text(container, "image", spec->image);
	if (spec->workdir)
		kube_set_text(container, "workingDir", spec->workdir);
	set_command(container, spec);
	set_env(container, spec);
	set_pull(container, spec->pull);
	if (kube_fill_scheduling(pod, spec, err) < 0 ||
	    kube_fill_resources(container, spec, err) < 0 ||
	    set_user(container, spec->user, err) < 0)
		return -1;
	return kube_fill_volumes(pod, container, spec, err);
}
