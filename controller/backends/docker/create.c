/* SPDX-License-Identifier: MIT */
/* Containers to be; see create.h. */
#include "create.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controller/backends/docker/files.h"
#include "controller/model/container.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define NANO_PER_MILLI 1000000

char *docker_container_name(const struct job *job)
{
	return str_printf("berth-%s", job->uid);
}

static void set_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, json_string(text));
}

static void set_number(json_t *object, const char *key, uint64_t number)
{
	json_object_set_new(object, key, json_integer((json_int_t)number));
}

static void add_word(json_t *array, const char *word)
{
	json_array_append_new(array, json_string(word));
}

static void add_init(json_t *entrypoint, const struct spec *spec, const char *job_dir, bool is_one)
{
	char seconds[32];

	add_word(entrypoint, DOCKER_BUNDLE "/berth-init");
	add_word(entrypoint, "--dir");
	add_word(entrypoint, job_dir);
	if (is_one) {
		add_word(entrypoint, "--rank");
		add_word(entrypoint, "0");
	}
	if (spec->hold) {
		add_word(entrypoint, "--hold");
		add_word(entrypoint, spec->hold);
	}
	if (spec->time_ns) {
		snprintf(seconds, sizeof(seconds), "%" PRIu64 "s",
			 (spec->time_ns + NSEC_PER_SEC - 1) / NSEC_PER_SEC);
		add_word(entrypoint, "--limit");
		add_word(entrypoint, seconds);
	}
	add_word(entrypoint, "--");
}

/* The user's entrypoint is one word, as Docker's client takes it. */
static void add_entrypoint(json_t *entrypoint, const struct spec *spec, const json_t *config)
{
	const json_t *own = json_object_get(config, "Entrypoint"), *word;
	size_t i;

	if (spec->entrypoint) {
		if (spec->entrypoint[0])
			add_word(entrypoint, spec->entrypoint);
		return;
	}
	json_array_foreach(own, i, word) {
		if (json_is_string(word))
			json_array_append(entrypoint, (json_t *)(uintptr_t)word);
	}
}

void docker_set_command(json_t *body, const struct spec *spec, const json_t *config,
			const char *job_dir, bool is_one)
{
	json_t *entrypoint = json_array(), *command = json_array();

	add_init(entrypoint, spec, job_dir, is_one);
	if (spec->script) {
		cleanup_free char *script = str_printf("%s/" SPEC_SCRIPT_NAME, job_dir);

		add_word(command, script);
	} else {
		add_entrypoint(entrypoint, spec, config);
		for (const char *const *word = spec->command; *word; word++)
			add_word(command, *word);
	}
	json_object_set_new(body, "Entrypoint", entrypoint);
	json_object_set_new(body, "Cmd", command);
}

static void add_labels(json_t *body, const struct submission *submission)
{
	const struct job *job = submission->job;
	json_t *labels = json_object();
	char number[24];

	for (size_t i = 0; i < submission->spec->labels.len; i++) {
		const char *label = submission->spec->labels.items[i];
		cleanup_free char *key = str_dup_len(label, strcspn(label, "="));

		set_text(labels, key, strchr(label, '=') + 1);
	}
	snprintf(number, sizeof(number), "%" PRIu64, job->id);
	set_text(labels, DOCKER_LABEL_UID, job->uid);
	set_text(labels, DOCKER_LABEL_JOB, number);
	set_text(labels, DOCKER_LABEL_NAME, job->name);
	json_object_set_new(body, "Labels", labels);
}

static void add_mount(json_t *mounts, const struct mount *mount)
{
	static const char *const types[] = {
		[MOUNT_DIRECTORY] = "bind", [MOUNT_VOLUME] = "volume", [MOUNT_MEMORY] = "tmpfs"
	};
	json_t *json = json_object(), *options;

	set_text(json, "Type", types[mount->kind]);
	if (mount->source)
		set_text(json, "Source", mount->source);
	set_text(json, "Target", mount->target);
	if (mount->is_read_only)
		json_object_set_new(json, "ReadOnly", json_true());
	if (mount->size) {
		options = json_object();
		set_number(options, "SizeBytes", mount->size);
		json_object_set_new(json, "TmpfsOptions", options);
	}
	json_array_append_new(mounts, json);
}

static int add_bound_dir(json_t *mounts, const char *option, const char *text, const char *target,
			 struct err *err)
{
	cleanup(mount_finish) struct mount mount = { 0 };

	if (!text)
		return 0;
	if (container_parse_bound_dir(text, target, &mount, err) < 0 ||
	    container_check_target(mount.target, err) < 0)
		return err_wrap(err, "--%s", option);
	mount.is_read_only = strcmp(option, "input-dir") == 0;
	add_mount(mounts, &mount);
	return 0;
}

static int add_mounts(json_t *host, const struct spec *spec, const char *bundle, struct err *err)
{
	json_t *mounts = json_array();
	const struct mount own = { .kind = bundle[0] == '/' ? MOUNT_DIRECTORY : MOUNT_VOLUME,
				   .source = (char *)(uintptr_t)bundle,
				   .target = (char *)(uintptr_t)DOCKER_BUNDLE,
				   .is_read_only = true };

	json_object_set_new(host, "Mounts", mounts);
	add_mount(mounts, &own);
	for (size_t i = 0; i < spec->mounts.len; i++) {
		cleanup(mount_finish) struct mount mount = { 0 };

		if (mount_parse(spec->mounts.items[i], &mount, err) < 0 ||
		    container_check_target(mount.target, err) < 0)
			return err_wrap(err, "--mount");
		add_mount(mounts, &mount);
	}
	if (add_bound_dir(mounts, "input-dir", spec->input_dir, CONTAINER_INPUT_DIR, err) < 0)
		return -1;
	return add_bound_dir(mounts, "output-dir", spec->output_dir, CONTAINER_OUTPUT_DIR, err);
}

void docker_bind_job_dir(json_t *body, const char *path)
{
	const struct mount mount = { .kind = MOUNT_DIRECTORY,
				     .source = (char *)(uintptr_t)path,
				     .target = (char *)(uintptr_t)DOCKER_JOB_DIR };

	add_mount(json_object_get(json_object_get(body, "HostConfig"), "Mounts"), &mount);
}

/* "2", "all", or with a type, of which the engine knows nothing. */
static int add_gpus(json_t *host, const char *gpus, struct err *err)
{
	json_t *request, *sets, *set;
	uint64_t count = 0;

	if (strcmp(gpus, "0") == 0)
		return 0;
	if (strcmp(gpus, "all") != 0 && (!text_parse_uint(gpus, INT32_MAX, &count) || count == 0))
		return err_set(err, ERR_UNSUPPORTED,
			       "--gpus: '%.40s': an engine takes a number of GPUs, or all", gpus);
	request = json_object();
	set_text(request, "Driver", "");
	json_object_set_new(request, "Count", json_integer(count ? (json_int_t)count : -1));
	set = json_array();
	add_word(set, "gpu");
	sets = json_array();
	json_array_append_new(sets, set);
	json_object_set_new(request, "Capabilities", sets);
	set = json_array();
	json_array_append_new(set, request);
	json_object_set_new(host, "DeviceRequests", set);
	return 0;
}

/* A limit that can be swapped around is none. */
static void add_memory(json_t *host, const struct spec *spec)
{
	uint64_t memory =
		spec->memory ? spec->memory : spec->memory_per_cpu * MAX(spec->cpus, UINT64_C(1));

	if (memory) {
		set_number(host, "Memory", memory);
		set_number(host, "MemorySwap", memory);
	}
	if (spec->shm_size)
		set_number(host, "ShmSize", spec->shm_size);
}

static void add_restart(json_t *host, const char *restart)
{
	json_t *policy = json_object();
	uint64_t times = 0;
	size_t len = 0;

	if (!restart || !container_parse_restart(restart, &len, &times)) {
		set_text(policy, "Name", "no");
	} else {
		cleanup_free char *name = str_dup_len(restart, len);

		set_text(policy, "Name", name);
		if (times)
			set_number(policy, "MaximumRetryCount", times);
	}
	json_object_set_new(host, "RestartPolicy", policy);
}

static int add_host(json_t *body, const struct spec *spec, const char *bundle, struct err *err)
{
	json_t *host = json_object();
	uint64_t milli = spec->cpus * 1000;

	json_object_set_new(body, "HostConfig", host);
	if (spec->cpu_limit && !container_parse_cpus(spec->cpu_limit, &milli))
		return err_set(err, ERR_INVALID, "--cpu-limit: '%.40s' is not a number of CPUs",
			       spec->cpu_limit);
	if (milli)
		set_number(host, "NanoCpus", milli * NANO_PER_MILLI);
	add_memory(host, spec);
	add_restart(host, spec->restart);
	if (spec->network)
		set_text(host, "NetworkMode", spec->network);
	if (spec->gpus && add_gpus(host, spec->gpus, err) < 0)
		return -1;
	/* The first process is berth-init already. */
	json_object_set_new(host, "Init", json_false());
	return add_mounts(host, spec, bundle, err);
}

static int add_user(json_t *body, const struct spec *spec, struct err *err)
{
	char user[CONTAINER_USER_SIZE];

	if (!spec->user)
		return 0;
	if (container_choose_user(spec->user, user, err) < 0)
		return err_wrap(err, "--user");
	set_text(body, "User", user);
	return 0;
}

int docker_make_container(const struct submission *submission, const json_t *config,
			  const char *bundle, json_t **ret, struct err *err)
{
	cleanup(json_release) json_t *body = json_object();
	const struct spec *spec = submission->spec;
	json_t *env = json_array();

	set_text(body, "Image", spec->image);
	docker_set_command(body, spec, config, DOCKER_JOB_DIR, true);
	for (size_t i = 0; i < spec->env.len; i++)
		add_word(env, spec->env.items[i]);
	json_object_set_new(body, "Env", env);
	if (spec->workdir)
		set_text(body, "WorkingDir", spec->workdir);
	add_labels(body, submission);
	if (add_user(body, spec, err) < 0 || add_host(body, spec, bundle, err) < 0)
		return -1;
	*ret = take_ptr(body);
	return 0;
}
