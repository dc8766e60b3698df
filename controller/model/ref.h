/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How people name jobs. Everywhere a JOB is asked for, "job-7", "7" and the job's own name mean a
 * job (the newest with that name, and who names it is told where there are more); "job-7.3" is its
 * rank 3. Of an array, "job-7_3" is the task with index 3, as "job-7.3" is there, and "job-7_3.1"
 * its rank 1. As a host name for ssh the own name has ".job" appended ("train.job", "train.job.3",
 * "train.job_3.1"), so that it cannot collide with a real host.
 *
 * "job-7.hpc" is job-7 and says that it is on the cluster hpc.
 *
 * The rules for own names follow: letters, digits, '-', '_' and '.', beginning with a letter, at
 * most 63 characters; nothing that reads as a job number.
 */

#include <stdbool.h>

#include "controller/model/job.h"
#include "init/base/err.h"

#define REF_NAME_MAX 63
#define REF_RANK_MAX 1000000
#define REF_CLUSTER_MAX 40

struct ref {
	uint64_t id; /* 0: by name */
	char name[REF_NAME_MAX + 1];
	bool has_rank;
	unsigned int rank;		   /* or, of an array, the task; 0 unless has_rank */
	bool has_inner;			   /* "_3.1" */
	unsigned int inner;		   /* the rank within the task; 0 unless has_inner */
	char cluster[REF_CLUSTER_MAX + 1]; /* that job-7.CLUSTER names, or "" */
};

/* A JOB argument of a verb. */
int ref_parse(const char *text, struct ref *ret, struct err *err) attr_must_use;

/* A host name that ssh was given. */
int ref_parse_host(const char *host, struct ref *ret, struct err *err) attr_must_use;

/*
 * The rank of this job that is meant: its first where the reference names none, and the first of
 * the task where it names no more than that. ERR_NOT_FOUND: there is none.
 */
int ref_choose_rank(const struct ref *ref, const struct job *job, unsigned int *ret,
		    struct err *err) attr_must_use;

/* Whether a job may be called so; says why not. */
int ref_check_name(const char *name, struct err *err) attr_must_use;
