/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How many jobs there are of each kind: by state, by queue and state, ... Groups are in the order
 * of their words, states in the order of a job's life.
 */

#include "controller/model/job.h"
#include "init/base/err.h"

#define JOB_COUNT_KEYS_MAX 5

enum job_count_key {
	JOB_COUNT_STATE,
	JOB_COUNT_QUEUE,
	JOB_COUNT_JOBSET,
	JOB_COUNT_USER,
	JOB_COUNT_BACKEND,
};

struct job_count {
	enum job_state state;
	char *queue, *jobset, *user, *backend; /* "" where they are not a key */
	uint64_t count;
};

struct job_counts {
	enum job_count_key keys[JOB_COUNT_KEYS_MAX];
	size_t keys_len;
	struct job_count *items;
	size_t len;
};

/* keys: "state,queue", at least one; ERR_INVALID names those that there are. */
int job_counts_init(struct job_counts *counts, const char *keys, struct err *err) attr_must_use;
void job_counts_finish(struct job_counts *counts);
DEFINE_CLEANUP_VALUE(struct job_counts, job_counts_finish)

void job_counts_add(struct job_counts *counts, const struct job *job);

const char *job_count_key_word(enum job_count_key key);
/* What the group has for the key. */
const char *job_count_value(const struct job_count *group, enum job_count_key key);
