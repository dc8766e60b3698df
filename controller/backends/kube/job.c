/* SPDX-License-Identifier: MIT */
/* Jobs to be; see job.h. */
#include "job.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controller/model/container.h"
#include "controller/model/yaml_json.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define NAME_OF_GPUS "nvidia.com/gpu"
#define ID_MAX INT32_MAX

char *kube_job_name(const struct job *job)
{
	return str_printf("berth-%s", job->uid);
}

/* Options of containers that a pod has no field for. */
static int refuse(const struct spec *spec, struct err *err)
{
	const struct {
		const char *option;
		bool is_asked;
		const char *instead;
	} cannot[] = {
		{ "restart", spec->restart, "jobs are tried once: run it again" },
		{ "hold", spec->hold, "a pod ends with its command: leave it out" },
		{ "network", spec->network && strcmp(spec->network, "host") != 0,
		  "a pod has the cluster's network, or that of its host" },
		{ "allow", spec->allow.len > 0, "no tunnel leads into a pod: leave it out" },
		{ "shell", spec->shell, "no tunnel leads into a pod: leave it out" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cannot); i++) {
		if (cannot[i].is_asked)
			return err_set(err, ERR_UNSUPPORTED, "--%s: %s", cannot[i].option,
				       cannot[i].instead);
	}
	if (spec->script)
		return err_set(err, ERR_UNSUPPORTED,
			       "batch scripts do not reach a pod: give a command of the image");
	if (!spec->image)
		return err_set(err, ERR_INVALID, "--image: is missing");
	return 0;
}

static bool is_text(const char *text)
{
	cleanup(json_release) json_t *json = json_string(text);

	return json;
}

/* JSON holds nothing else, and what does not fit into it must not be left out. */
static int check_texts(const struct spec *spec, struct err *err)
{
	const char *what = NULL;

	for (const char *const *word = spec->command; *word; word++)
		what = is_text(*word) ? what : "the command";
	for (const struct spec_option *option = spec_options; option->name; option++) {
		const void *member = (const char *)spec + option->offset;
		const struct opt_list *list = member;

		if (!spec_has(spec, option))
			continue;
		if (option->type == OPT_TYPE_STR && !is_text(*(const char *const *)member))
			what = option->name;
		for (size_t i = 0; option->type == OPT_TYPE_LIST && i < list->len; i++)
			what = is_text(list->items[i]) ? what : option->name;
	}
	if (what)
		return err_set(err, ERR_INVALID, "%s: is not text in UTF-8", what);
	return 0;
}

static void set_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, json_string(text));
}

/* The object that is there, or a new one. */
static json_t *object_at(json_t *object, const char *key)
{
	json_t *member = json_object_get(object, key);

	if (!json_is_object(member)) {
		member = json_object();
		json_object_set_new(object, key, member);
	}
	return member;
}

static json_t *array_at(json_t *object, const char *key)
{
	json_t *member = json_object_get(object, key);

	if (!json_is_array(member)) {
		member = json_array();
		json_object_set_new(object, key, member);
	}
	return member;
}

static json_t *find_container(json_t *pod)
{
	json_t *containers = array_at(pod, "containers"), *container;
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
	set_text(container, "name", KUBE_CONTAINER);
	return container;
}

static int read_template(const char *text, json_t **ret, struct err *err)
{
	cleanup(yaml_close) struct yaml y = { 0 };
	cleanup(json_release) json_t *json = NULL;
	const char *kind;
	struct fy_node *node;

	if (!text) {
		*ret = json_object();
		return 0;
	}
	if (yaml_open(&y, "template", span_of_str(text), err) < 0)
		return -1;
	node = yaml_next(&y);
	if (!node) {
		if (yaml_check_end(&y, err) < 0)
			return -1;
		return err_set(err, ERR_INVALID, "template: is empty");
	}
	if (yaml_to_json(&y, node, &json, err) < 0)
		return -1;
	kind = json_string_value(json_object_get(json, "kind"));
	if (!json_is_object(json) ||
	    (kind && strcmp(kind, "Pod") != 0 && strcmp(kind, "PodTemplate") != 0))
		return err_set(err, ERR_INVALID,
			       "template: is no pod template: 'metadata' and 'spec' of a Pod");
	/* A PodTemplate has it one level down. */
	if (kind && strcmp(kind, "PodTemplate") == 0)
		*ret = json_incref(object_at(json, "template"));
	else
		*ret = take_ptr(json);
	json_object_del(*ret, "kind");
	json_object_del(*ret, "apiVersion");
	return 0;
}

static void set_labels(json_t *metadata, const struct submission *submission)
{
	const struct job *job = submission->job;
	json_t *labels = object_at(metadata, "labels");
	char number[24];

	for (size_t i = 0; i < submission->spec->labels.len; i++) {
		const char *label = submission->spec->labels.items[i];
		cleanup_free char *key = str_dup_len(label, strcspn(label, "="));

		set_text(labels, key, strchr(label, '=') + 1);
	}
	snprintf(number, sizeof(number), "%" PRIu64, job->id);
	set_text(labels, KUBE_LABEL_UID, job->uid);
	set_text(labels, KUBE_LABEL_JOB, number);
	set_text(labels, "app.kubernetes.io/managed-by", "berth");
	if (job->name[0] != '\0')
		set_text(object_at(metadata, "annotations"), KUBE_NOTE_NAME, job->name);
}

/*
 * Without an entrypoint the words are arguments of the image's own, as with `docker run`; with an
 * empty one they are all there is.
 */
static void set_command(json_t *container, const struct spec *spec)
{
	json_t *words = json_array(), *command = json_array();

	for (const char *const *word = spec->command; *word; word++)
		json_array_append_new(words, json_string(*word));
	json_object_del(container, "command");
	json_object_del(container, "args");
	if (!spec->entrypoint) {
		json_object_set(container, "args", words);
	} else if (spec->entrypoint[0]) {
		json_array_append_new(command, json_string(spec->entrypoint));
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
	json_t *env = array_at(container, "env");

	for (size_t i = 0; i < spec->env.len; i++) {
		const char *text = spec->env.items[i];
		cleanup_free char *name = str_dup_len(text, strcspn(text, "="));
		const char *value = strchr(text, '=');

		json_array_append_new(env, json_pack("{s:s, s:s}", "name", name, "value",
						     value ? value + 1 : ""));
	}
	if (json_array_size(env) == 0)
		json_object_del(container, "env");
}

static int set_gpus(json_t *limits, const char *gpus, struct err *err)
{
	uint64_t count;

	if (!text_parse_uint(gpus, INT32_MAX, &count) || count == 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "--gpus: '%.40s': a pod takes a number of GPUs; what kind they are "
			       "is for the node selector of the pod template",
			       gpus);
	json_object_set_new(limits, NAME_OF_GPUS, json_integer((json_int_t)count));
	return 0;
}

/* What is asked for is also the limit, except for CPUs, of which more may be used. */
static int set_resources(json_t *container, const struct spec *spec, struct err *err)
{
	json_t *resources = object_at(container, "resources");
	json_t *requests = object_at(resources, "requests");
	json_t *limits = object_at(resources, "limits");
	uint64_t memory =
		spec->memory ? spec->memory : spec->memory_per_cpu * MAX(spec->cpus, UINT64_C(1));
	uint64_t milli;

	if (spec->cpus)
		json_object_set_new(requests, "cpu", json_integer((json_int_t)spec->cpus));
	if (spec->cpu_limit) {
		cleanup_free char *text = NULL;

		if (!container_parse_cpus(spec->cpu_limit, &milli))
			return err_set(err, ERR_INVALID, "--cpu-limit: '%.40s' is not a number",
				       spec->cpu_limit);
		text = str_printf("%" PRIu64 "m", milli);
		set_text(limits, "cpu", text);
	}
	if (memory) {
		json_object_set_new(requests, "memory", json_integer((json_int_t)memory));
		json_object_set_new(limits, "memory", json_integer((json_int_t)memory));
	}
	return spec->gpus ? set_gpus(limits, spec->gpus, err) : 0;
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
	context = object_at(container, "securityContext");
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

static json_t *volume_of(const struct mount *mount, const char *name)
{
	json_t *volume = json_pack("{s:s}", "name", name), *memory;

	switch (mount->kind) {
	case MOUNT_DIRECTORY:
		json_object_set_new(volume, "hostPath", json_pack("{s:s}", "path", mount->source));
		break;
	case MOUNT_VOLUME:
		json_object_set_new(volume, "persistentVolumeClaim",
				    json_pack("{s:s}", "claimName", mount->source));
		break;
	case MOUNT_MEMORY:
		memory = json_pack("{s:s}", "medium", "Memory");
		if (mount->size)
			json_object_set_new(memory, "sizeLimit",
					    json_integer((json_int_t)mount->size));
		json_object_set_new(volume, "emptyDir", memory);
		break;
	}
	return volume;
}

static void add_mount(json_t *pod, json_t *container, const struct mount *mount)
{
	json_t *volumes = array_at(pod, "volumes");
	cleanup_free char *name = str_printf("berth-%zu", json_array_size(volumes));
	json_t *inside = json_pack("{s:s, s:s}", "name", name, "mountPath", mount->target);

	if (mount->is_read_only)
		json_object_set_new(inside, "readOnly", json_true());
	json_array_append_new(volumes, volume_of(mount, name));
	json_array_append_new(array_at(container, "volumeMounts"), inside);
}

static int add_bound_dir(json_t *pod, json_t *container, const char *text, bool is_input,
			 struct err *err)
{
	cleanup(mount_finish) struct mount mount = { 0 };

	if (!text)
		return 0;
	if (container_parse_bound_dir(text, is_input ? CONTAINER_INPUT_DIR : CONTAINER_OUTPUT_DIR,
				      &mount, err) < 0)
		return -1;
	mount.is_read_only = is_input;
	add_mount(pod, container, &mount);
	return 0;
}

static int set_mounts(json_t *pod, json_t *container, const struct spec *spec, struct err *err)
{
	const struct mount shm = { .kind = MOUNT_MEMORY,
				   .target = (char *)(uintptr_t) "/dev/shm",
				   .size = spec->shm_size };

	for (size_t i = 0; i < spec->mounts.len; i++) {
		cleanup(mount_finish) struct mount mount = { 0 };

		if (mount_parse(spec->mounts.items[i], &mount, err) < 0)
			return err_wrap(err, "--mount");
		add_mount(pod, container, &mount);
	}
	if (spec->shm_size)
		add_mount(pod, container, &shm);
	if (add_bound_dir(pod, container, spec->input_dir, true, err) < 0)
		return err_wrap(err, "--input-dir");
	if (add_bound_dir(pod, container, spec->output_dir, false, err) < 0)
		return err_wrap(err, "--output-dir");
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
			set_text(container, "imagePullPolicy", policies[i].policy);
	}
}

static int fill_pod(json_t *pod, const struct spec *spec, struct err *err)
{
	json_t *container = find_container(pod);

	set_text(pod, "restartPolicy", "Never");
	if (spec->network)
		json_object_set_new(pod, "hostNetwork", json_true());
	set_text(container, "image", spec->image);
	if (spec->workdir)
		set_text(container, "workingDir", spec->workdir);
	set_command(container, spec);
	set_env(container, spec);
	set_pull(container, spec->pull);
	if (set_resources(container, spec, err) < 0 || set_user(container, spec->user, err) < 0)
		return -1;
	return set_mounts(pod, container, spec, err);
}

int kube_make_job(const struct submission *submission, json_t **ret, struct err *err)
{
	const struct spec *spec = submission->spec;
	cleanup_free char *name = kube_job_name(submission->job);
	cleanup(json_release) json_t *template = NULL;
	cleanup(json_release) json_t *job = NULL;
	json_t *metadata, *inside;

	if (spec_check_engine(spec, err) < 0 || refuse(spec, err) < 0 ||
	    check_texts(spec, err) < 0 || read_template(submission->template, &template, err) < 0)
		return -1;
	set_labels(object_at(template, "metadata"), submission);
	if (fill_pod(object_at(template, "spec"), spec, err) < 0)
		return -1;
	job = json_pack("{s:s, s:s}", "apiVersion", "batch/v1", "kind", "Job");
	metadata = object_at(job, "metadata");
	/* One that is only shown has no uid yet; the API server makes such a name. */
	set_text(metadata, submission->job->uid[0] ? "name" : "generateName", name);
	set_labels(metadata, submission);
	if (spec->comment)
		set_text(object_at(metadata, "annotations"), "berth.comment", spec->comment);
	inside = object_at(job, "spec");
	json_object_set_new(inside, "backoffLimit", json_integer(0));
	json_object_set_new(inside, "ttlSecondsAfterFinished", json_integer(KUBE_TTL_S));
	if (spec->time_ns)
		json_object_set_new(inside, "activeDeadlineSeconds",
				    json_integer((json_int_t)((spec->time_ns + NSEC_PER_SEC - 1) /
							      NSEC_PER_SEC)));
	json_object_set(inside, "template", template);
	*ret = take_ptr(job);
	return 0;
}
