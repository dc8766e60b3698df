/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What FirecREST answers about systems, users, jobs, nodes and queues, read into our own terms.
 * Pure, no I/O. What is missing, unknown or of an odd type is passed over, so that neither a new
 * field nor a new word of a newer server ends anything. Texts for people come out without control
 * characters.
 */

#include "controller/backends/backend.h"
#include "controller/backends/slurm/list.h"
#include "controller/firecrest/answer.h"

/* The system of this name in the answer of /status/systems, or NULL; names are of any case. */
const json_t *firecrest_find_system(const json_t *answer, const char *name);

/* The names of all, for a message. */
void firecrest_system_names(const json_t *answer, char *out, size_t size);

/* "slurm" or "pbs", or whatever it is called there. */
const char *firecrest_scheduler(const json_t *machine);

/* What goes directly, in bytes; FIRECREST_DIRECT_MAX when it does not tell. */
size_t firecrest_direct_max(const json_t *machine);

/*
 * The user's directory on the first file system of this type ("scratch", "users", ...); with NULL on
 * the one where jobs usually are. NULL when there is none. free() it.
 */
char *firecrest_own_directory(const json_t *machine, const char *type, const char *user)
	attr_must_use;

/*
 * How its services are, for people: "scheduler, ssh, /scratch", those that are not well with why.
 * False when one is not.
 */
bool firecrest_read_health(const json_t *machine, char *out, size_t size);

/* "alice, accounts a (default), b", of the answer of /status/{system}/userinfo. */
void firecrest_read_user(const json_t *answer, char *out, size_t size);

#define FIRECREST_TASKS_MAX 4096

/* A job of an answer; tasks as in slurmrest. */
struct firecrest_job {
	char id[BACKEND_ID_MAX];	 /* of an array, that of the whole */
	char tasks[FIRECREST_TASKS_MAX]; /* indices.h, or "" */
	struct observation seen;
};

/* False for what is no job. A scheduler's words are Slurm's or the letters of PBS. */
bool firecrest_read_job(const json_t *json, struct firecrest_job *ret);

/* Letters of PBS: qstat(1B), job states; an exit status from 256 on is a signal. */
enum job_state firecrest_pbs_state(const char *word, uint64_t exit_status);

void firecrest_read_nodes(const json_t *answer, bool is_pbs, struct node_list *ret);
void firecrest_read_queues(const json_t *answer, const struct node_list *nodes,
			   struct queue_list *ret);
void firecrest_read_reservations(const json_t *answer, struct reservation_list *ret);
