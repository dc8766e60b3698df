/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The limits of the job, for the processes that users start in it. Ours are others: berth-init
 * gives the tunnel less memory, no core dumps, and the place of a preferred victim should memory
 * run out; and the services raise the number of descriptors. berth-init itself keeps what it was
 * started with, so that its limits, our parent's, are the job's. Only soft limits differ, so that
 * nothing is needed to have them back.
 */

#include <stdbool.h>
#include <sys/resource.h>

/* RLIMIT_NOFILE, RLIMIT_DATA, RLIMIT_CORE */
#define RLIMITS_COUNT 3
#define RLIMITS_SCORE_SIZE 8

/* All-zero changes nothing. */
struct rlimits {
	struct {
		bool is_known;
		struct rlimit value;
	} items[RLIMITS_COUNT];
	char oom_score[RLIMITS_SCORE_SIZE]; /* oom_score_adj of proc(5), or "" */
};

/* What our parent has; of what cannot be known there (another user's process), what we have. */
void rlimits_of_job(struct rlimits *ret);

/* Between fork(2) and execve(2): what cannot be had is left as it is. */
void rlimits_apply(const struct rlimits *limits);
