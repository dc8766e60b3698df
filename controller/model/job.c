/* SPDX-License-Identifier: MIT */
/* The job record; see job.h. */
#include "job.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "init/base/indices.h"
#include "init/base/text.h"

/* "6b019f50-8eef54953ad43042": when it was submitted, and random. */
#define UID_TIME_LEN 8
#define UID_RANDOM_LEN 16

static const struct {
	const char *word;
	bool ended;
} states[] = {
#define X(name, ended) { #name, ended },
	JOB_STATES(X)
#undef X
};

void job_init(struct job *job)
{
	*job = (struct job){
		.uid = str_dup(""),
		.name = str_dup(""),
		.cluster = str_dup(""),
		.backend = str_dup(""),
		.native_id = str_dup(""),
		.directory = str_dup(""),
		.command = str_dup(""),
		.queue = str_dup(""),
		.jobset = str_dup(""),
		.user = str_dup(""),
		.node_list = str_dup(""),
		.array = str_dup(""),
		.only = str_dup(""),
		.origin = str_dup(""),
		.native_state = str_dup(""),
		.reason = str_dup(""),
		.state = JOB_DEFINED,
		.exit_code = JOB_NO_EXIT_CODE,
	};
}

char *job_place_text(char **at, const void *bytes, size_t len)
{
	char *text = *at;

	if (len > 0)
		memcpy(text, bytes, len);
	text[len] = '\0';
	*at += JOB_TEXT_SIZE(len);
	return text;
}

/* By their values: two pointers are compared as such within one object only. */
static bool is_placed(const struct job *job, const char *text)
{
	return (uintptr_t)text - (uintptr_t)job->texts < job->texts_size;
}

static void free_text(const struct job *job, char *text)
{
	if (!is_placed(job, text))
		free(text);
}

void job_finish(struct job *job)
{
	free_text(job, job->uid);
	free_text(job, job->name);
	free_text(job, job->cluster);
	free_text(job, job->backend);
	free_text(job, job->native_id);
	free_text(job, job->directory);
	free_text(job, job->command);
	free_text(job, job->queue);
	free_text(job, job->jobset);
	free_text(job, job->user);
	free_text(job, job->node_list);
	free_text(job, job->array);
	free_text(job, job->only);
	free_text(job, job->origin);
	free_text(job, job->native_state);
	free_text(job, job->reason);
	free(job->texts);
	*job = (struct job){ 0 };
}

bool job_is_imported(const struct job *job)
{
	return strcmp(job->origin, JOB_IMPORTED) == 0;
}

bool job_is_adopted(const struct job *job)
{
	return strcmp(job->origin, JOB_ADOPTED) == 0;
}

bool job_is_ours(const struct job *job)
{
	return job->origin[0] == '\0' || job_is_adopted(job);
}

bool job_is_uid(const char *text)
{
	static const char digits[] = "0123456789abcdef";

	return strspn(text, digits) == UID_TIME_LEN && text[UID_TIME_LEN] == '-' &&
	       strspn(text + UID_TIME_LEN + 1, digits) == UID_RANDOM_LEN &&
	       text[UID_TIME_LEN + 1 + UID_RANDOM_LEN] == '\0';
}

void job_set_member(struct job *job, char **member, const char *text)
{
	char *copy = str_dup(text);

	free_text(job, *member);
	*member = copy;
}

void job_list_finish(struct job_list *list)
{
	for (size_t i = 0; i < list->len; i++)
		job_finish(&list->items[i]);
	free(list->items);
	*list = (struct job_list){ 0 };
}

void job_list_take(struct job_list *list, struct job *job)
{
	/* Grown in powers of two: the capacity follows from the length. */
	if ((list->len & (list->len - 1)) == 0)
		list->items = alloc_grow(list->items, list->len ? list->len * 2 : 1,
					 sizeof(*list->items));
	list->items[list->len++] = *job;
	*job = (struct job){ 0 };
}

const char *job_state_word(enum job_state state)
{
	return states[state].word;
}

enum job_state job_state_parse(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		if (strcmp(states[i].word, word) == 0)
			return (enum job_state)i;
	}
	return JOB_UNKNOWN;
}

bool job_state_is_ended(enum job_state state)
{
	return states[state].ended;
}

void job_explain_end(const struct job *job, char *out, size_t size)
{
	out[0] = '\0';
	if (job->signal > 0)
		snprintf(out, size, "signal %d (%s)", job->signal, strsignal(job->signal));
	else if (job->exit_code > 0)
		snprintf(out, size, "exit status %d", job->exit_code);
	else if (job->state != JOB_SUCCEEDED && job->reason)
		snprintf(out, size, "%s", job->reason);
}

static bool is_part(const struct job *job)
{
	return job->only && job->only[0] != '\0';
}

void job_label(const struct job *job, char out[JOB_LABEL_SIZE])
{
	size_t len = strlen("job-");

	if (job->of_rank) {
		job_rank_label(job, job->rank, out);
		return;
	}
	memcpy(out, "job-", len);
	len += text_format_uint(job->id, out + len);
	if (!is_part(job))
		return;
	snprintf(out + len, JOB_LABEL_SIZE - len,
		 job->only[strspn(job->only, "0123456789")] ? "_[%s]" : "_%s", job->only);
}

bool job_is_array(const struct job *job)
{
	return job->array && job->array[0] != '\0';
}

/* Of one task, also where nobody said how many. */
static uint64_t width(const struct job *job)
{
	return MAX(job->tasks, UINT64_C(1));
}

uint64_t job_first_rank(const struct job *job, uint64_t task)
{
	return job_is_array(job) ? task * width(job) : 0;
}

uint64_t job_task_of_rank(const struct job *job, uint64_t rank)
{
	return job_is_array(job) ? rank / width(job) : 0;
}

bool job_ranks_fit(const char *array, uint64_t tasks)
{
	return array[0] == '\0' || indices_last(array) < JOB_RANK_MAX / MAX(tasks, UINT64_C(1));
}

bool job_next_rank(const struct job *job, uint64_t from, uint64_t *ret)
{
	uint64_t task = job_task_of_rank(job, from), next;

	if (!job_is_array(job)) {
		*ret = from;
		return from < job->tasks;
	}
	if (!indices_next(job->array, task, &next))
		return false;
	*ret = next == task ? from : job_first_rank(job, next);
	return true;
}

bool job_has_rank(const struct job *job, uint64_t rank)
{
	uint64_t next;

	return job_next_rank(job, rank, &next) && next == rank;
}

uint64_t job_count_ranks(const struct job *job)
{
	if (job->of_rank)
		return 1;
	if (!job_is_array(job))
		return job->tasks;
	return width(job) * indices_count(is_part(job) ? job->only : job->array);
}

bool job_means_rank(const struct job *job, uint64_t rank)
{
	if (job->of_rank)
		return rank == job->rank;
	return !is_part(job) || indices_have(job->only, job_task_of_rank(job, rank));
}

int job_check_task(const struct job *job, uint64_t task, struct err *err)
{
	if (indices_have(job->array, task))
		return 0;
	return err_set(err, ERR_NOT_FOUND,
		       "job-%" PRIu64 " has no task %" PRIu64 ": its array is %.80s", job->id, task,
		       job->array);
}

int job_check_rank(const struct job *job, uint64_t rank, struct err *err)
{
	if (job_has_rank(job, rank))
		return 0;
	if (job_is_array(job))
		return job_check_task(job, job_task_of_rank(job, rank), err);
	return err_set(err, ERR_NOT_FOUND,
		       "job-%" PRIu64 " has no rank %" PRIu64 ": its ranks are 0 to %" PRIu64,
		       job->id, rank, job->tasks - 1);
}

void job_rank_label(const struct job *job, uint64_t rank, char out[JOB_LABEL_SIZE])
{
	uint64_t task = job_task_of_rank(job, rank);

	if (!job_is_array(job))
		snprintf(out, JOB_LABEL_SIZE, "job-%" PRIu64 ".%" PRIu64, job->id, rank);
	else if (width(job) == 1)
		snprintf(out, JOB_LABEL_SIZE, "job-%" PRIu64 "_%" PRIu64, job->id, task);
	else
		snprintf(out, JOB_LABEL_SIZE, "job-%" PRIu64 "_%" PRIu64 ".%" PRIu64, job->id, task,
			 rank - job_first_rank(job, task));
}
