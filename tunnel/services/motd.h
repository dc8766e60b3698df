/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The message of the day: where one is after `ssh job-7`, and how long it lasts.
 *
 *	job-7 train, Slurm 4711, rank 3 on node12: 1h02m left
 *	the command has ended with status 1; the job is held for 12m10s
 */

#include <stdbool.h>

#include "init/base/buf.h"
#include "init/base/err.h"

/* Times are seconds since the epoch; 0: not known. Texts may be NULL. */
struct motd {
	const char *job, *name, *host, *slurm_id;
	unsigned int rank;
	unsigned int ranks; /* in each task of an array; up to 1: it is none */
	double now;
	double ends; /* when its time limit passes */
	bool is_held;
	double held_until;
	int exit_code, signal; /* of the command when is_held: one of them, or both 0 */
};

/*
 * Takes what status.RANK.json (see init/status.h) says: whether the job is held, and with a time
 * limit when it ends. What cannot be understood is an error and changes nothing.
 */
int motd_read_status(struct span text, uint64_t time_limit_s, struct motd *motd, struct err *err)
	attr_must_use;

/* One or two lines; control characters become '?'. Empty when there is nothing to tell. */
bool motd_format(const struct motd *motd, struct buf *ret) attr_must_use;
