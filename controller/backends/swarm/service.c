/* SPDX-License-Identifier: MIT */
/* Services to be; see service.h. */
#include "service.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controller/backends/docker/create.h"
#include "controller/backends/docker/files.h"
#include "controller/backends/jobdir.h"
#include "controller/backends/swarm/placement.h"
#include "controller/model/container.h"
#include "init/base/indices.h"
#include "init/base/alloc.h"

/* berth-init waits 5 s for what a command leaves behind. */
#define STOP_GRACE_S 15
#define SLOTS_TEXT_MAX (64 * 1024)
#define MODE_SECRET 0400
#define MODE_SCRIPT 0500
#define MODE_PROGRAM 0555

char *swarm_service_name(const struct job *job)
{
	return str_printf("berth-%s", job->uid);
}

char *swarm_secret_name(const struct job *job, const char *file)
{
	return str_printf("berth-%s-%s", job->uid, file);
}

/* Each rank is a task, or each index of an array. */
static uint64_t count_tasks(const struct spec *spec)
{
	return spec->array ? indices_count(spec->array) : spec_ranks(spec);
}

char *swarm_escape(const char *text)
{
	cleanup(buf_finish) struct buf all = BUF_INIT(SPEC_JSON_MAX);
	const char *at = text;
	const char *open;

	while ((open = strstr(at, "{{"))) {
		if (!buf_append(&all, at, (size_t)(open - at)) || !buf_printf(&all, "{{\"{{\"}}"))
			return NULL;
		at = open + 2;
	}
	return buf_append(&all, at, strlen(at)) ? buf_take_str(&all) : NULL;
}

char *swarm_slots(const char *indices, uint64_t count)
{
	cleanup(buf_finish) struct buf all = BUF_INIT(SLOTS_TEXT_MAX);
	uint64_t at = 0;

	for (uint64_t slot = 1; slot <= count; slot++, at++) {
		if (indices && !indices_next(indices, at, &at))
			break;
		if (!buf_printf(&all, "{{%sif eq .Task.Slot \"%" PRIu64 "\"}}%" PRIu64,
				slot == 1 ? "" : "else ", slot, at))
			return NULL;
	}
	return buf_printf(&all, "{{end}}") ? buf_take_str(&all) : NULL;
}

/* Those of an image, or a container, that a template could be in. */
static json_t *escape_env(const json_t *env)
{
	json_t *all = json_array(), *word;
	size_t i;

	json_array_foreach(env, i, word) {
		cleanup_free char *text = swarm_escape(json_string_value(word));

		json_array_append_new(all, json_string(text));
	}
	return all;
}

static void add_variable(json_t *env, const char *name, const char *value)
{
	json_array_append_new(env, json_sprintf("%s=%s", name, value));
}

static void add_number(json_t *env, const char *name, uint64_t number)
{
	cleanup_free char *text = str_printf("%" PRIu64, number);

	add_variable(env, name, text);
}

static void add_ranks(json_t *env, const struct spec *spec, uint64_t ranks)
{
	cleanup_free char *slots = swarm_slots(spec->array, ranks);
	uint64_t first = 0, last = 0;

	if (!spec->array) {
		add_variable(env, "SLURM_PROCID", slots);
		add_number(env, "SLURM_NTASKS", ranks);
		return;
	}
	indices_next(spec->array, 0, &first);
	for (uint64_t at = 0; indices_next(spec->array, at, &at); at++)
		last = at;
	add_variable(env, "BERTH_RANK", slots);
	add_variable(env, "SLURM_ARRAY_TASK_ID", slots);
	add_number(env, "SLURM_ARRAY_TASK_COUNT", ranks);
	add_number(env, "SLURM_ARRAY_TASK_MIN", first);
	add_number(env, "SLURM_ARRAY_TASK_MAX", last);
}

static json_t *make_reference(const char *kind, const char *name, const json_t *id, json_t *file)
{
	cleanup_free char *id_key = str_printf("%sID", kind),
			  *name_key = str_printf("%sName", kind);
	json_t *reference = json_object();

	if (json_is_string(id))
		json_object_set(reference, id_key, (json_t *)(uintptr_t)id);
	json_object_set_new(reference, name_key, json_string(name));
	json_object_set_new(reference, "File", file);
	return reference;
}

static json_t *make_file(const char *dir, const char *name, const struct owner *owner, int mode)
{
	cleanup_free char *path = str_printf("%s/%s", dir, name);
	cleanup_free char *user = str_printf("%u", owner->uid);
	cleanup_free char *group = str_printf("%u", owner->gid);

	return json_pack("{s:s, s:s, s:s, s:i}", "Name", path, "UID", user, "GID", group, "Mode",
			 mode);
}

static void add_secrets(json_t *container, const struct submission *submission,
			const struct swarm_parts *parts, const char *user)
{
	json_t *all = json_array();
	struct owner owner = { 0 };
	bool is_known = docker_read_owner(user, &owner);
	const json_t *id;
	const char *file;

	json_object_foreach((json_t *)(uintptr_t)parts->secrets, file, id) {
		cleanup_free char *name = swarm_secret_name(submission->job, file);
		int mode = strcmp(file, SPEC_SCRIPT_NAME) == 0 ? MODE_SCRIPT : MODE_SECRET;

		/* A name of the image has no number here: there is nobody but him in it. */
		if (!is_known)
			mode |= mode >> 3 | mode >> 6;
		json_array_append_new(
			all, make_reference("Secret", name, id,
					    make_file(SWARM_SECRET_DIR, file, &owner, mode)));
	}
	json_object_set_new(container, "Secrets", all);
}

/* "berth-DIGEST-NAME" becomes NAME. */
static void add_configs(json_t *container, const json_t *configs)
{
	const struct owner root = { 0 };
	json_t *all = json_array();
	const json_t *id;
	const char *name;

	json_object_foreach((json_t *)(uintptr_t)configs, name, id) {
		const char *file = strchr(name, '-');

		file = file ? strchr(file + 1, '-') : NULL;
		if (file)
			json_array_append_new(all,
					      make_reference("Config", name, id,
							     make_file(SWARM_PARTS_DIR, file + 1,
								       &root, MODE_PROGRAM)));
	}
	if (json_array_size(all) > 0)
		json_object_set_new(container, "Configs", all);
	else
		json_decref(all);
}

/*
 * Anybody may write there; its content is gone with the container. From a tmpfs of an engine's no
 * program can be run, but from a volume that is one. A Swarm makes such a volume on the node and
 * leaves it, without a name if it is given none: this one is a task's, and collected by its label.
 */
static json_t *make_memory(const char *target, const struct job *job)
{
	cleanup_free char *name = str_printf("berth-%s%s-{{.Task.Slot}}", job->uid,
					     strcmp(target, DOCKER_BUNDLE) == 0 ? "-bundle" : "");

	return json_pack("{s:s, s:s, s:s, s:{s:b, s:{s:s}, s:{s:s, s:{s:s, s:s, s:s}}}}", "Type",
			 "volume", "Source", name, "Target", target, "VolumeOptions", "NoCopy", 1,
			 "Labels", DOCKER_LABEL_UID, job->uid, "DriverConfig", "Name", "local",
			 "Options", "type", "tmpfs", "device", "tmpfs", "o",
			 "mode=1777,nosuid,nodev");
}

/* What is only read needs no volume. */
static json_t *make_job_memory(const struct spec *spec, const struct job *job)
{
	if (spec->script)
		return make_memory(SWARM_JOB_MOUNT, job);
	return json_pack("{s:s, s:s}", "Type", "tmpfs", "Target", SWARM_JOB_MOUNT);
}

static bool is_root(const char *user)
{
	struct owner owner;

	return docker_read_owner(user, &owner) && owner.uid == 0;
}

static void add_mounts(json_t *container, const json_t *body, const struct submission *submission,
		       const struct swarm_parts *parts, const char *user)
{
	const struct spec *spec = submission->spec;
	json_t *mounts =
		json_deep_copy(json_object_get(json_object_get(body, "HostConfig"), "Mounts"));
	json_t *mount;
	size_t i;

	/* The first is that of berth's programs. */
	if (!parts->mount)
		json_array_remove(mounts, 0);
	json_array_foreach(mounts, i, mount) {
		const char *source = json_string_value(json_object_get(mount, "Source"));
		const char *target = json_string_value(json_object_get(mount, "Target"));
		cleanup_free char *from = source ? swarm_escape(source) : NULL;
		cleanup_free char *to = swarm_escape(target);

		if (from)
			json_object_set_new(mount, "Source", json_string(from));
		json_object_set_new(mount, "Target", json_string(to));
	}
	if (!is_root(user)) {
		json_array_append_new(mounts, make_job_memory(spec, submission->job));
		if (!parts->mount)
			json_array_append_new(mounts, make_memory(DOCKER_BUNDLE, submission->job));
	}
	if (spec->shm_size)
		json_array_append_new(mounts, json_pack("{s:s, s:s, s:{s:I}}", "Type", "tmpfs",
							"Target", "/dev/shm", "TmpfsOptions",
							"SizeBytes", (json_int_t)spec->shm_size));
	json_object_set_new(container, "Mounts", mounts);
}

/* What stands before berth-init itself: what makes the places for it. */
static json_t *compose(const json_t *entrypoint, const struct swarm_parts *parts)
{
	json_t *words = json_array();

	json_array_append_new(words, json_string(parts->mount ? DOCKER_BUNDLE "/berth-init"
							      : SWARM_PARTS_DIR "/berth-init"));
	if (!parts->mount) {
		json_array_append_new(words, json_string("--install"));
		json_array_append_new(words,
				      json_string(SWARM_PARTS_DIR ":" DOCKER_BUNDLE ":0555"));
	}
	json_array_append_new(words, json_string("--install"));
	json_array_append_new(words, json_string(SWARM_SECRET_DIR ":" SWARM_JOB_DIR ":0700"));
	json_array_append_new(words, json_string("--"));
	json_array_extend(words, (json_t *)(uintptr_t)entrypoint);
	return words;
}

static void add_limit(json_t *labels, const struct spec *spec)
{
	cleanup_free char *seconds = NULL;

	if (!spec->time_ns)
		return;
	seconds = str_printf("%" PRIu64, (spec->time_ns + NSEC_PER_SEC - 1) / NSEC_PER_SEC);
	json_object_set_new(labels, SWARM_LABEL_LIMIT, json_string(seconds));
}

static json_t *make_container(const struct submission *submission, const json_t *config,
			      const struct swarm_parts *parts, json_t *body)
{
	const struct spec *spec = submission->spec;
	const char *user = json_string_value(json_object_get(body, "User"));
	json_t *container = json_object(), *env = escape_env(json_object_get(body, "Env"));
	json_t *labels = json_deep_copy(json_object_get(body, "Labels"));
	uint64_t ranks = count_tasks(spec);

	if (!user)
		user = json_string_value(json_object_get(config, "User"));
	json_object_set(container, "Image", json_object_get(body, "Image"));
	docker_set_command(body, spec, config, SWARM_JOB_DIR, ranks == 1 && !spec->array);
	json_object_set_new(container, "Command",
			    compose(json_object_get(body, "Entrypoint"), parts));
	json_object_set(container, "Args", json_object_get(body, "Cmd"));
	if (ranks > 1 || spec->array)
		add_ranks(env, spec, ranks);
	json_object_set_new(container, "Env", env);
	if (spec->workdir)
		json_object_set_new(container, "Dir", json_string(spec->workdir));
	if (json_object_get(body, "User"))
		json_object_set(container, "User", json_object_get(body, "User"));
	add_limit(labels, spec);
	json_object_set_new(container, "Labels", labels);
	json_object_set_new(container, "Init", json_false());
	json_object_set_new(container, "StopGracePeriod",
			    json_integer((json_int_t)STOP_GRACE_S * (json_int_t)NSEC_PER_SEC));
	add_mounts(container, body, submission, parts, user ? user : "");
	add_secrets(container, submission, parts, user ? user : "");
	if (!parts->mount)
		add_configs(container, parts->configs);
	return container;
}

static json_t *make_restart(const char *restart)
{
	json_t *policy = json_pack("{s:s}", "Condition", "none");
	uint64_t times = 0;
	size_t len = 0;

	if (!restart || !container_parse_restart(restart, &len, &times))
		return policy;
	if (strncmp(restart, "on-failure", len) == 0)
		json_object_set_new(policy, "Condition", json_string("on-failure"));
	else if (strncmp(restart, "no", len) != 0)
		json_object_set_new(policy, "Condition", json_string("any"));
	if (times)
		json_object_set_new(policy, "MaxAttempts", json_integer((json_int_t)times));
	return policy;
}

/* Whoever asks is told by the task which port of its node leads there. */
static json_t *make_ports(const struct job *job)
{
	static const char *const protocols[] = { "udp", "tcp" };
	json_t *ports = json_array();

	for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
		json_array_append_new(ports, json_pack("{s:s, s:i, s:s}", "Protocol", protocols[i],
						       "TargetPort", (int)jobdir_port(job),
						       "PublishMode", "host"));
	return json_pack("{s:s, s:o}", "Mode", "dnsrr", "Ports", ports);
}

static void add_network(json_t *service, json_t *template, const struct submission *submission)
{
	const char *network = submission->spec->network;

	if (network)
		json_object_set_new(template, "Networks", json_pack("[{s:s}]", "Target", network));
	if (!network || strcmp(network, "host") != 0)
		json_object_set_new(service, "EndpointSpec", make_ports(submission->job));
}

int swarm_make_service(const struct submission *submission, const json_t *config,
		       const struct swarm_parts *parts, json_t **ret, struct err *err)
{
	struct spec alone = *submission->spec;
	struct submission one = *submission;
	cleanup_free char *name = swarm_service_name(submission->job);
	cleanup(json_release) json_t *body = NULL;
	cleanup(json_release) json_t *service = NULL;
	json_t *template = json_object();

	/* GPUs are resources of the cluster, which an engine alone does not know. */
	alone.gpus = NULL;
	one.spec = &alone;
	service =
		json_pack("{s:s, s:o, s:{s:{s:I}}}", "Name", name, "TaskTemplate", template, "Mode",
			  "Replicated", "Replicas", (json_int_t)count_tasks(submission->spec));
	if (docker_make_container(&one, config, parts->mount ? parts->mount : "/", &body, err) <
		    0 ||
	    swarm_place(template, submission->spec, body, err) < 0)
		return -1;
	json_object_set(service, "Labels", json_object_get(body, "Labels"));
	json_object_set_new(template, "ContainerSpec",
			    make_container(submission, config, parts, body));
	json_object_set_new(template, "RestartPolicy", make_restart(submission->spec->restart));
	add_network(service, template, submission);
	*ret = take_ptr(service);
	return 0;
}

static int refuse(const struct spec *spec, struct err *err)
{
	if (spec->array && spec_ranks(spec) > 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "--tasks: each index of an array is one task here: leave it out");
	if (spec->array && strchr(spec->array, '%'))
		return err_set(err, ERR_UNSUPPORTED,
			       "--array: a Swarm starts as many tasks as there is room for: leave "
			       "out what stands behind '%%', and say --cpus or --mem");
	if (count_tasks(spec) > SWARM_TASKS_MAX)
		return err_set(err, ERR_LIMIT, "--%s: a Swarm gets %d tasks in a job at most",
			       spec->array ? "array" : "tasks", SWARM_TASKS_MAX);
	if (spec->qos || spec->requeue)
		return err_set(err, ERR_UNSUPPORTED, "--%s: a Swarm has no such: %s",
			       spec->qos ? "qos" : "requeue",
			       spec->qos ? "leave it out" : "say --restart on-failure");
	if (spec->pod)
		return err_set(err, ERR_UNSUPPORTED,
			       "--pod: a Swarm has none: use a cluster with backend kubernetes");
	if (spec->network && strcmp(spec->network, "none") == 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "--network: services have one: 'host', or the name of a network");
	return 0;
}

int swarm_check(const struct submission *submission, struct err *err)
{
	const struct swarm_parts parts = { .mount = submission->bundle };
	const struct spec *spec = submission->spec;
	cleanup(json_release) json_t *service = NULL;

	if (refuse(spec, err) < 0 || spec_check_pods(spec, err) < 0)
		return -1;
	if (!spec->image)
		return err_set(err, ERR_INVALID, "--image: is missing");
	return swarm_make_service(submission, NULL, &parts, &service, err);
}

void swarm_end_spec(json_t *spec)
{
	json_t *template = json_object_get(spec, "TaskTemplate");

	json_object_set_new(template, "Placement",
			    json_pack("{s:[s]}", "Constraints", SWARM_NOWHERE));
	json_object_set_new(template, "RestartPolicy", json_pack("{s:s}", "Condition", "none"));
	/* All at once, and no new one before the old has ended. */
	json_object_set_new(spec, "UpdateConfig",
			    json_pack("{s:i, s:s}", "Parallelism", 0, "Order", "stop-first"));
}
