/* SPDX-License-Identifier: MIT */
#pragma once

#include "controller/ops/controller.h"
#include "controller/run/argv.h"

/* How an operation tells that it takes time: one line, when there is something new to say. */
struct progress {
	void (*say)(void *arg, const char *line);
	void *arg;
};

struct connect_plan {
	const struct ref *ref;
	const char *verb; /* of berth-tunnel: what to do there */
	uint64_t wait_ns; /* at most so long for the job to run */
	const struct progress *progress;
};

/*
 * The way into a job: waits for it to run, and gives the command that does the verb there, to which
 * more of the verb's own options can be appended. The scheduler is not asked when the job's own
 * files tell enough. A job that ended is ERR_UNAVAILABLE, with how it ended.
 */
int ops_connect(struct controller *c, const struct connect_plan *plan, struct argv *ret,
		struct err *err) attr_must_use;

/*
 * Brings what is known of where a rank listens up to date, for a tunnel that was given what was
 * known. 1: it cannot be entered now, and *err says why.
 */
int ops_locate(struct controller *c, const struct ref *ref, struct err *err) attr_must_use;

/*
 * Connects standard input and output with HOST:PORT of the job, of which the port counts, by what
 * the backend has for that; for berth-tunnel, whose last way it is.
 */
int ops_carry(struct controller *c, const struct ref *ref, const char *to, struct err *err)
	attr_must_use;

/*
 * From now on ops_ssh_command() goes this way only: direct, relay, relay-tcp or login. path lives
 * as long as the controller; NULL is any.
 */
int ops_choose_path(struct controller *c, const char *path, struct err *err) attr_must_use;

/*
 * The same for an sshd of the job's own: ssh is led to this port of the job, and not to us. NULL is
 * what the cluster's settings say.
 */
int ops_choose_ssh_port(struct controller *c, const char *port, struct err *err) attr_must_use;

/* `ssh` with everything it has to know on its command line, for this job's rank. */
int ops_ssh_command(struct controller *c, const struct job *job, const struct ref *ref,
		    const char *const *command, struct argv *ret, struct err *err) attr_must_use;

/* ERR_UNAVAILABLE "job-7 ended: FAILED, exit status 3" for a job that has ended, else 0. */
int ops_check_not_ended(const struct job *job, struct err *err) attr_must_use;
