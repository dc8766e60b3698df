/* SPDX-License-Identifier: MIT */
/* How many jobs there are of each kind; see job_count.h. */
#include "job_count.h"

#include <string.h>

static const char *const words[] = {
	[JOB_COUNT_STATE] = "state", [JOB_COUNT_QUEUE] = "queue",     [JOB_COUNT_JOBSET] = "jobset",
	[JOB_COUNT_USER] = "user",   [JOB_COUNT_BACKEND] = "backend",
};

const char *job_count_key_word(enum job_count_key key)
{
	return words[key];
}

static bool has_key(const struct job_counts *counts, enum job_count_key key)
{
	for (size_t i = 0; i < counts->keys_len; i++) {
		if (counts->keys[i] == key)
			return true;
	}
	return false;
}

static int add_key(struct job_counts *counts, const char *word, size_t len, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strlen(words[i]) != len || memcmp(words[i], word, len) != 0)
			continue;
		if (has_key(counts, (enum job_count_key)i))
			return err_set(err, ERR_INVALID, "--group-by: '%s' twice", words[i]);
		counts->keys[counts->keys_len++] = (enum job_count_key)i;
		return 0;
	}
	return err_set(err, ERR_INVALID,
		       "--group-by: '%.*s' is not one of state, queue, jobset, user, backend",
		       (int)MIN(len, (size_t)40), word);
}

int job_counts_init(struct job_counts *counts, const char *keys, struct err *err)
{
	*counts = (struct job_counts){ 0 };
	for (;;) {
		size_t len = strcspn(keys, ",");

		if (add_key(counts, keys, len, err) < 0)
			return -1;
		if (keys[len] == '\0')
			return 0;
		keys += len + 1;
	}
}

void job_counts_finish(struct job_counts *counts)
{
	for (size_t i = 0; i < counts->len; i++) {
		free(counts->items[i].queue);
		free(counts->items[i].jobset);
		free(counts->items[i].user);
		free(counts->items[i].backend);
	}
	free(counts->items);
	*counts = (struct job_counts){ 0 };
}

static const char *value_of_job(const struct job *job, enum job_count_key key)
{
	switch (key) {
	case JOB_COUNT_STATE:
		return job_state_word(job->state);
	case JOB_COUNT_QUEUE:
		return job->queue;
	case JOB_COUNT_JOBSET:
		return job->jobset;
	case JOB_COUNT_USER:
		return job->user;
	case JOB_COUNT_BACKEND:
		return job->backend;
	}
	return "";
}

const char *job_count_value(const struct job_count *group, enum job_count_key key)
{
	switch (key) {
	case JOB_COUNT_STATE:
		return job_state_word(group->state);
	case JOB_COUNT_QUEUE:
		return group->queue;
	case JOB_COUNT_JOBSET:
		return group->jobset;
	case JOB_COUNT_USER:
		return group->user;
	case JOB_COUNT_BACKEND:
		return group->backend;
	}
	return "";
}

/* How the job stands to the group, key by key. */
static int compare(const struct job_counts *counts, const struct job *job,
		   const struct job_count *group)
{
	for (size_t i = 0; i < counts->keys_len; i++) {
		enum job_count_key key = counts->keys[i];
		int order = key == JOB_COUNT_STATE
				    ? (int)job->state - (int)group->state
				    : strcmp(value_of_job(job, key), job_count_value(group, key));

		if (order != 0)
			return order;
	}
	return 0;
}

static void insert(struct job_counts *counts, size_t at, const struct job *job)
{
	counts->items = alloc_grow(counts->items, counts->len + 1, sizeof(*counts->items));
	memmove(counts->items + at + 1, counts->items + at,
		(counts->len - at) * sizeof(*counts->items));
	counts->items[at] = (struct job_count){
		.state = job->state,
		.queue = str_dup(has_key(counts, JOB_COUNT_QUEUE) ? job->queue : ""),
		.jobset = str_dup(has_key(counts, JOB_COUNT_JOBSET) ? job->jobset : ""),
		.user = str_dup(has_key(counts, JOB_COUNT_USER) ? job->user : ""),
		.backend = str_dup(has_key(counts, JOB_COUNT_BACKEND) ? job->backend : ""),
		.count = 1,
	};
	counts->len++;
}

void job_counts_add(struct job_counts *counts, const struct job *job)
{
	size_t low = 0, high = counts->len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(counts, job, &counts->items[middle]);

		if (order == 0) {
			counts->items[middle].count++;
			return;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	insert(counts, low, job);
}
