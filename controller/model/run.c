/* SPDX-License-Identifier: MIT */
/* Runs of jobs; see run.h. */
#include "run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "init/base/indices.h"

void run_finish(struct run *run)
{
	free(run->native_state);
	free(run->reason);
	free(run->node_list);
	*run = (struct run){ 0 };
}

void run_set_text(char **member, const char *text)
{
	char *copy = str_dup(text);

	free(*member);
	*member = copy;
}

void run_list_finish(struct run_list *list)
{
	for (size_t i = 0; i < list->len; i++)
		run_finish(&list->items[i]);
	free(list->items);
	*list = (struct run_list){ 0 };
}

struct run *run_list_add(struct run_list *list, uint64_t task)
{
	struct run *run;

	/* Grown in powers of two: the capacity follows from the length. */
	if ((list->len & (list->len - 1)) == 0)
		list->items = alloc_grow(list->items, list->len ? list->len * 2 : 1,
					 sizeof(*list->items));
	run = &list->items[list->len++];
	*run = (struct run){
		.task = task,
		.state = JOB_QUEUED,
		.native_state = str_dup(""),
		.reason = str_dup(""),
		.node_list = str_dup(""),
		.exit_code = JOB_NO_EXIT_CODE,
	};
	return run;
}

void run_of_record(const struct job *job, struct run *run)
{
	run->attempt = job->attempts ? job->attempts : job->started_ns != 0;
	run->state = job->state;
	run->exit_code = job->exit_code;
	run->signal = job->signal;
	run->started_ns = job->started_ns;
	run->ended_ns = job->ended_ns;
	run_set_text(&run->native_state, job->native_state);
	run_set_text(&run->reason, job->reason);
	run_set_text(&run->node_list, job->node_list);
}

struct run *run_list_find(const struct run_list *list, uint64_t task)
{
	size_t low = 0, high = list->len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list->items[middle].task == task)
			return &list->items[middle];
		if (list->items[middle].task < task)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

void run_list_init(struct run_list *list, const struct job *job)
{
	for (uint64_t task = 0; indices_next(job->array, task, &task); task++)
		run_list_add(list, task)->has_changed = true;
}

/* The state of the whole is the first of these that any task is in. */
static const enum job_state precedence[] = {
	JOB_RUNNING, JOB_STARTING, JOB_QUEUED,	  JOB_DEFINED,	 JOB_UNKNOWN,
	JOB_FAILED,  JOB_TIMEOUT,  JOB_PREEMPTED, JOB_CANCELLED, JOB_SUCCEEDED,
};

static void format_counts(const uint64_t counts[], size_t len, struct run_fold *ret)
{
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_LEN(precedence); i++) {
		uint64_t count = counts[precedence[i]];

		if (count == len)
			return;
		if (count > 0 && at < sizeof(ret->counts))
			at += (size_t)snprintf(ret->counts + at, sizeof(ret->counts) - at,
					       "%s%" PRIu64 " %s", at ? ", " : "", count,
					       job_state_word(precedence[i]));
	}
}

static void note_times(const struct run *run, struct run_fold *ret)
{
	if (run->started_ns && (!ret->started_ns || run->started_ns < ret->started_ns))
		ret->started_ns = run->started_ns;
	ret->ended_ns = MAX(ret->ended_ns, run->ended_ns);
	ret->attempts = MAX(ret->attempts, run->attempt);
}

void run_list_fold(const struct run_list *list, struct run_fold *ret)
{
	uint64_t counts[ARRAY_LEN(precedence)] = { 0 };
	size_t worst = 0;

	*ret = (struct run_fold){ .state = JOB_UNKNOWN, .exit_code = JOB_NO_EXIT_CODE };
	for (size_t i = 0; i < list->len; i++) {
		counts[list->items[i].state]++;
		note_times(&list->items[i], ret);
	}
	while (worst < ARRAY_LEN(precedence) && counts[precedence[worst]] == 0)
		worst++;
	if (worst < ARRAY_LEN(precedence))
		ret->state = precedence[worst];
	format_counts(counts, list->len, ret);
	if (!job_state_is_ended(ret->state)) {
		ret->ended_ns = 0;
		return;
	}
	for (size_t i = 0; i < list->len; i++) {
		if (list->items[i].state != ret->state)
			continue;
		ret->exit_code = list->items[i].exit_code;
		ret->signal = list->items[i].signal;
		return;
	}
}
