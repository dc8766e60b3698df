/* SPDX-License-Identifier: MIT */
/* Prints the same few jobs in a format given by name, for tests/golden: jobs FORMAT [WIDTH]. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/output/jobs.h"

#define NOW_NS (UINT64_C(1790000000) * NSEC_PER_SEC)

static uint64_t ago(uint64_t seconds)
{
	return NOW_NS - seconds * NSEC_PER_SEC;
}

static void add(struct job_list *list, const char *name, enum job_state state, const char *command)
{
	struct job job;

	job_init(&job);
	job.id = list->len + 1;
	job.state = state;
	job.tasks = job.nodes = 1;
	job.created_ns = ago(90000);
	job_set(&job, uid, "6ab13f80-0123456789abcdef");
	job_set(&job, name, name);
	job_set(&job, cluster, "hpc");
	job_set(&job, backend, "slurm");
	job_set(&job, native_id, "4711");
	job_set(&job, directory, "/h/me/.berth/jobs/6ab13f80-0123456789abcdef");
	job_set(&job, command, command);
	job_list_take(list, &job);
}

static void fill(struct job_list *list)
{
	add(list, "", JOB_DEFINED, "true");
	add(list, "train", JOB_QUEUED, "python train.py --epochs 3");
	job_set(&list->items[1], native_state, "PENDING");
	job_set(&list->items[1], reason, "Priority");
	add(list, "train-large", JOB_RUNNING, "srun ./a.out");
	list->items[2].tasks = 64;
	list->items[2].started_ns = ago(3725);
	add(list, "", JOB_FAILED, "sh -c 'exit 3'");
	list->items[3].exit_code = 3;
	list->items[3].started_ns = ago(100);
	list->items[3].ended_ns = ago(58);
	add(list, "", JOB_CANCELLED,
	    "a command that is longer than a line of the table has room for, and so is cut");
	list->items[4].signal = 9;
	/* What a scheduler or a user wrote must not reach the terminal as it is. */
	add(list, "hostile", JOB_UNKNOWN, "echo \033[31mred\a");
	job_set(&list->items[5], reason, "\033]0;title\007");
	add(list, "bytes", JOB_SUCCEEDED, "echo \xff \xc2\x9b \xc3\xa9t\xc3\xa9");
	list->items[6].exit_code = 0;
	add(list, "no", JOB_PREEMPTED, "echo 'a,b' \"c\"\n\xe2\x80\xae");
	job_set(&list->items[7], queue, "gpu");
	job_set(&list->items[7], user, "me");
	job_set(&list->items[7], node_list, "n[1-3],login");
	list->items[7].attempts = 2;
}

int main(int argc, char **argv)
{
	cleanup(job_list_finish) struct job_list list = { 0 };
	struct output output = { .now_ns = NOW_NS, .out = stdout };
	struct err err;

	fill(&list);
	/* As on a terminal of this width. */
	if (argc > 2) {
		output.width = (unsigned int)strtoul(argv[2], NULL, 10);
		output.colour = true;
	}
	if (output_parse_format(argc > 1 ? argv[1] : NULL, &output.format, &err) < 0 ||
	    output_jobs(&list, &output, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return err_exit_status(&err);
	}
	return 0;
}
