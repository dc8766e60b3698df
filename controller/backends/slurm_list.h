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

#define SLURM_QUEUE_FORMAT                                                    \
	"JobArrayID:|,State:|,exit_code:|,StartTime:|,EndTime:|,Partition:|," \
	"NodeList:|,RestartCnt:|,Reason:"

/* sacct of 22.05 has no number of restarts. */
#define SLURM_ACCOUNT_FORMAT "JobID,State,ExitCode,Start,End,Partition,NodeList,Reason"

enum slurm_list {
	SLURM_QUEUE,
	SLURM_ACCOUNT,
};

/* Of a job, or of one task of an array: "123", "123_4". Steps and unexpanded arrays have none. */
#define SLURM_ID_MAX 48

/* Each takes the next line from *text. 1: a job; 0: a line that is not one; -1: no line left. */
int slurm_next_line(enum slurm_list list, struct span *text, char ret_id[SLURM_ID_MAX],
		    struct observation *ret);

/*
 * Cuts the next line off *text, without its newline; NULL at the end. One that is too long, or
 * holds a NUL, comes out empty. free() it.
 */
char *slurm_cut_line(struct span *text) attr_must_use;
