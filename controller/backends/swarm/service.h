/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a Swarm is asked to create for a job: a service in mode "replicated" whose tasks are tried
 * once (restart condition none), one for each rank, or index of an array. Its container is what
 * docker/create.h makes of the job; what a Swarm says otherwise is said otherwise here.
 *
 * Mode "replicated-job" would name it better and cannot be used: where no task is to be tried
 * again, one that fails keeps those from starting that wait behind it, the task in slot 0 is not
 * told its slot, and a job that is to stop takes its logs with it.
 *
 * Nothing is bound from the machine that submits: tunnel.json and its like are Secrets, mounted at
 * SWARM_SECRET_DIR, and berth-init copies them to SWARM_JOB_DIR before it becomes the first
 * process. Where that runs as somebody else than root, who may not make it, a memory file system
 * is mounted above it. Programs come as programs.h says.
 *
 * Pure, no I/O. An option that a service has no field for is ERR_UNSUPPORTED, never left out
 * silently.
 */

#include "controller/backends/backend.h"
#include "controller/model/json.h"

#define SWARM_SECRET_DIR "/berth-secret"
#define SWARM_PARTS_DIR "/berth-parts"
#define SWARM_JOB_MOUNT "/berth-job"
#define SWARM_JOB_SUBDIR "job"
#define SWARM_JOB_DIR SWARM_JOB_MOUNT "/" SWARM_JOB_SUBDIR

/* A label of containers: the job's time limit in seconds. */
#define SWARM_LABEL_LIMIT "berth.limit"
/* No node fulfils it: a service that is to end is told to have its tasks there. */
#define SWARM_NOWHERE "node.id==berth-ends-this-job"
#define SWARM_TASKS_MAX 256

/* What it is made of beside the submission. */
struct swarm_parts {
	const char *mount; /* a directory or volume with berth's programs; or NULL */
	const json_t
		*configs; /* with them, as an object of names and ids; when there is no mount */
	const json_t *secrets; /* the same, by the names of files in the job directory */
};

/* The body of POST /services/create; config: the image's, or NULL. Release *ret. */
int swarm_make_service(const struct submission *submission, const json_t *config,
		       const struct swarm_parts *parts, json_t **ret, struct err *err)
	attr_must_use;

/* What is wrong with it without asking anybody. */
int swarm_check(const struct submission *submission, struct err *err) attr_must_use;

/* The text with nothing in it that a Swarm would take for a template. free() it. */
char *swarm_escape(const char *text);

/* What a Swarm's template has to be for the n-th slot to be the n-th of these. free() it. */
char *swarm_slots(const char *indices, uint64_t count);

/* Changes the description of a service that exists: its tasks end, and what they printed stays. */
void swarm_end_spec(json_t *spec);

/* How the Secret with this file of a job, or the job's service, is called. free() it. */
char *swarm_secret_name(const struct job *job, const char *file);
char *swarm_service_name(const struct job *job);
