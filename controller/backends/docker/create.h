/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the engine is asked to create for a job. The command is composed as `docker run` does: the
 * image's entrypoint (or the user's) in front of the job's command; in front of both berth-init,
 * as the container's first process.
 */

#include "controller/backends/backend.h"
#include "controller/model/json.h"

/* Labels by which a container is known to be ours. */
#define DOCKER_LABEL_UID "berth.uid"
#define DOCKER_LABEL_JOB "berth.job"
#define DOCKER_LABEL_NAME "berth.name"
#define DOCKER_LABEL_BUNDLE "berth.bundle"

/*
 * The body of POST /containers/create. config: the image's. bundle: where berth's programs are: a
 * directory (absolute), or the name of a volume.
 */
int docker_make_container(const struct submission *submission, const json_t *config,
			  const char *bundle, json_t **ret, struct err *err) attr_must_use;

/* Adds to the body that this directory of the machine is the job directory of the container. */
void docker_bind_job_dir(json_t *body, const char *path);

/*
 * Its "Entrypoint" and "Cmd". job_dir: in the container. is_one: it is rank 0; else its environment
 * tells berth-init which it is.
 */
void docker_set_command(json_t *body, const struct spec *spec, const json_t *config,
			const char *job_dir, bool is_one);

/* How the container of a job is called: by its uid, which is never used again. free() it. */
char *docker_container_name(const struct job *job);
