/* SPDX-License-Identifier: MIT */
/* Containers of jobs; see container.h. */
#include "container.h"

#include <stdio.h>
#include <string.h>

#include "controller/backends/docker/bound.h"
#include "controller/backends/docker/create.h"
#include "controller/backends/docker/files.h"
#include "controller/backends/docker/image.h"
#include "controller/backends/docker/podman.h"
#include "controller/backends/docker/volume.h"
#include "init/base/alloc.h"
#include "init/base/log.h"

#define USER_MAX 256
/* What an engine says that knows of no such thing. */
#define NO_GPU_DRIVER "could not select device driver"

int docker_post(struct engine *engine, const char *id, const char *what, struct err *err)
{
	cleanup_free char *path = str_printf("/containers/%s/%s", id, what);
	const struct engine_call call = { .method = "POST", .path = path };

	return engine_call(engine, &call, NULL, err);
}

int docker_remove(struct engine *engine, const char *name, struct err *err)
{
	cleanup_free char *path = str_printf("/containers/%s?force=true&v=true", name);
	const struct engine_call call = { .method = "DELETE", .path = path };
	struct err own;

	if (engine_call(engine, &call, NULL, &own) == 0 || own.kind == ERR_NOT_FOUND)
		return 0;
	return err_set(err, own.kind, "%s", own.text);
}

int docker_inspect(struct engine *engine, const char *id, json_t **ret, struct err *err)
{
	cleanup_free char *path = str_printf("/containers/%s/json", id);
	const struct engine_call call = { .path = path };

	return engine_call(engine, &call, ret, err);
}

int docker_check(const struct submission *submission, struct err *err)
{
	cleanup(json_release) json_t *body = NULL;

	if (spec_check_engine(submission->spec, err) < 0)
		return -1;
	if (!submission->spec->image)
		return err_set(err, ERR_INVALID, "--image: is missing");
	return docker_make_container(submission, NULL, submission->bundle, &body, err);
}

/* A container that was created, and what is known of it without asking. */
struct created {
	char id[BACKEND_ID_MAX];
	char user[USER_MAX]; /* as its configuration has it */
	bool is_bound;	     /* its job directory, which is filled already */
};

static void note_user(struct created *ret, const json_t *body, const json_t *config)
{
	const char *user = json_string_value(json_object_get(body, "User"));

	if (!user)
		user = json_string_value(json_object_get(config, "User"));
	snprintf(ret->user, sizeof(ret->user), "%s", user ? user : "");
}

/* Where the engine does not see our programs, it does not see our files either. */
static int bind_files(struct engine *engine, const struct submission *submission,
		      const char *bundle, json_t *body, struct created *ret, struct err *err)
{
	const char *dir = submission->job->directory;
	cleanup_free char *path = bound_path(dir);
	struct owner owner;
	int may = bundle[0] == '/' ? bound_owner(engine, ret->user, &owner, err) : 0;

	ret->is_bound = may > 0;
	if (may < 0)
		return -1;
	if (!ret->is_bound)
		return bound_remove(dir, err);
	if (bound_make(dir, &owner, err) < 0)
		return -1;
	docker_bind_job_dir(body, path);
	return 0;
}

static int create(struct engine *engine, const struct submission *submission, const json_t *config,
		  const char *bundle, struct created *ret, struct err *err)
{
	cleanup(json_release) json_t *body = NULL;
	cleanup(json_release) json_t *answer = NULL;
	cleanup_free char *name = docker_container_name(submission->job);
	cleanup_free char *path = str_printf("/containers/create?name=%s", name);
	struct engine_call call = { .method = "POST", .path = path };
	const char *id;

	if (docker_make_container(submission, config, bundle, &body, err) < 0)
		return -1;
	note_user(ret, body, config);
	if (bind_files(engine, submission, bundle, body, ret, err) < 0)
		return -1;
	if (engine->is_podman && podman_adapt(body, engine->is_here, err) < 0)
		return -1;
	call.body = body;
	if (engine_call(engine, &call, &answer, err) < 0)
		return -1;
	id = json_string_value(json_object_get(answer, "Id"));
	if (!id || !id[0] || strlen(id) >= BACKEND_ID_MAX)
		return err_set(err, ERR_PROTOCOL, "the engine gave the container no id");
	snprintf(ret->id, sizeof(ret->id), "%s", id);
	return 0;
}

/* The files of the job directory, or one of them, for whom the container runs as. */
static int put_files(struct engine *engine, const struct created *container, const struct job *job,
		     const char *name, struct err *err)
{
	struct owner owner;

	if (docker_find_owner(engine, container->id, container->user, &owner, err) < 0)
		return -1;
	return docker_put_job_files(engine, container->id, job->directory, name, &owner, err);
}

int docker_put_file(struct engine *engine, const struct job *job, const char *name, struct err *err)
{
	cleanup(json_release) json_t *answer = NULL;
	struct created container = { 0 };

	if (bound_exists(job->directory))
		return bound_put(job->directory, name, err);
	if (docker_inspect(engine, job->native_id, &answer, err) < 0)
		return -1;
	snprintf(container.id, sizeof(container.id), "%s", job->native_id);
	note_user(&container, json_object_get(answer, "Config"), NULL);
	return put_files(engine, &container, job, name, err);
}

/* Such as an engine whose socket is here and whose files are not. */
static bool is_about(const struct err *why, const struct submission *submission)
{
	return strstr(why->text, submission->bundle) ||
	       strstr(why->text, submission->job->directory);
}

static int create_somehow(struct engine *engine, const struct submission *submission,
			  const json_t *config, struct created *ret, struct err *err)
{
	cleanup_free char *volume = NULL;
	struct err own;

	if (engine->is_here) {
		if (create(engine, submission, config, submission->bundle, ret, &own) == 0)
			return 0;
		if (!is_about(&own, submission))
			return err_set(err, own.kind, "%s", own.text);
		log_info("%s does not see the files of this machine: %s", engine->address,
			 own.text);
	}
	if (docker_fill_volume(engine, submission->bundle, submission->spec->image, &volume, err) <
	    0)
		return -1;
	return create(engine, submission, config, volume, ret, err);
}

static int start(struct engine *engine, const struct created *container, struct err *err)
{
	struct err own;

	if (docker_post(engine, container->id, "start", &own) == 0)
		return 0;
	if (strstr(own.text, NO_GPU_DRIVER))
		return err_set(err, ERR_UNSUPPORTED,
			       "--gpus: %s has no driver for GPUs in containers: install "
			       "nvidia-container-toolkit on its machine, or leave it out",
			       engine->address);
	return err_set(err, own.kind, "%s", own.text);
}

int docker_submit(struct engine *engine, const struct submission *submission, struct submitted *ret,
		  struct err *err)
{
	cleanup(json_release) json_t *config = NULL;
	struct created container = { 0 };

	if (image_find(engine, submission, &config, err) < 0 ||
	    create_somehow(engine, submission, config, &container, err) < 0)
		return -1;
	if ((!container.is_bound &&
	     put_files(engine, &container, submission->job, NULL, err) < 0) ||
	    start(engine, &container, err) < 0) {
		/* The first error is the one to report; 'berth gc' finds what is left. */
		if (docker_remove(engine, container.id, NULL) < 0)
			log_debug("container %s is left over", container.id);
		return -1;
	}
	snprintf(ret->native_id, sizeof(ret->native_id), "%s", container.id);
	ret->state = JOB_STARTING;
	return 0;
}

int docker_render(const struct submission *submission, struct buf *ret, struct err *err)
{
	cleanup(json_release) json_t *body = NULL;

	if (docker_check(submission, err) < 0 ||
	    docker_make_container(submission, NULL, submission->bundle, &body, err) < 0)
		return -1;
	if (!json_append_readable(ret, body))
		return err_set(err, ERR_LIMIT, "the description of the container is too long");
	return 0;
}
