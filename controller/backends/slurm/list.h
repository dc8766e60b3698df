/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The lists that squeue and sacct print, one line a job. Pure text, no I/O.
 *
 * Lists are read in these formats on every Slurm, also where there is --json: a job takes 50 bytes
 * here and 2400 in JSON, which for ten thousand jobs is the difference between a glance and a wait,
 * and squeue of 22.05 prints every user's jobs with --json, whatever it is asked for.
 *
 * Times are in seconds since the epoch (slurm_environment). The reason comes last: it may hold a
 * '|'. squeue of Slurm 22.05 prints the exit as a wait status, newer ones as sacct does:
 * code:signal.
 */

#include "controller/backends/backend.h"
#include "init/base/span.h"

#define SLURM_LINE_MAX 65536
/* What Slurm has in the place of the signal of a job that was killed for its memory. */
#define SLURM_SIGNAL_OOM 125

#define SLURM_QUEUE_FORMAT                                                    \
	"JobArrayID:|,State:|,exit_code:|,StartTime:|,EndTime:|,Partition:|," \
	"NodeList:|,RestartCnt:|,Reason:"

/* sacct of 22.05 has no number of restarts. */
#define SLURM_ACCOUNT_FORMAT "JobID,State,ExitCode,Start,End,Partition,NodeList,Reason"

enum slurm_list {
	SLURM_QUEUE,
	SLURM_ACCOUNT,
};

/* Seconds since the epoch, and lists of tasks in full; NULL-terminated. */
extern const char *const slurm_list_environment[];

#define SLURM_SECONDS_MAX (INT64_MAX / (int64_t)NSEC_PER_SEC)

/* What Slurm says of a job, wherever it says so. Texts are foreign. */
struct slurm_facts {
	const char *state, *reason, *partition, *nodes; /* "" when not known */
	uint64_t start_s, end_s;			/* since the epoch; 0: not known */
	uint64_t exit_code, signal;
	uint64_t restarts;
	bool has_restarts;
};

/* What that is to us. */
void slurm_observe_facts(const struct slurm_facts *facts, struct observation *ret);

#define SLURM_ID_MAX 24

/* What a line says, and the room it is taken apart in. Strings last until the next line is read. */
struct slurm_line {
	char id[SLURM_ID_MAX]; /* of the job: "123" */
	const char *tasks; /* of an array: "4", or "5-9,12%4" as indices.h reads it; else NULL */
	struct observation seen;
	char text[SLURM_LINE_MAX];
};

/* Each takes the next line from *text. 1: a job; 0: a line that is not one; -1: no line left. */
int slurm_next_line(enum slurm_list list, struct span *text, struct slurm_line *ret);

/*
 * Cuts the next line off *text, without its newline; NULL at the end. One that is too long, or
 * holds a NUL, comes out empty. free() it.
 */
char *slurm_cut_line(struct span *text) attr_must_use;
