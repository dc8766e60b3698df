/* SPDX-License-Identifier: MIT */
/* The jobs that are asked about; see index.h. */
#include "index.h"

#include <stdlib.h>
#include <string.h>

#include "controller/backends/jobdir.h"
#include "controller/backends/slurm/runs.h"
#include "init/base/log.h"

void slurm_index_finish(struct slurm_index *index)
{
	free(index->slots);
}

/* FNV-1a; ids are short, and those of one Slurm differ in their last digits. */
static size_t hash(const char *id)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *id; id++)
		h = (h ^ (unsigned char)*id) * UINT64_C(0x100000001b3);
	return (size_t)(h ^ h >> 32);
}

/* The slot of this id, or the empty one where it belongs. At least half of them are empty. */
static size_t *slot_of(const struct slurm_index *index, const char *id)
{
	size_t at = hash(id) & index->mask;

	while (index->slots[at] && strcmp(index->jobs[index->slots[at] - 1]->native_id, id) != 0)
		at = (at + 1) & index->mask;
	return &index->slots[at];
}

void slurm_index_init(struct slurm_index *index, const struct job *const *jobs, size_t len,
		      struct observation *seen)
{
	size_t slots = 2;

	while (slots < 2 * len)
		slots *= 2;
	*index = (struct slurm_index){ .jobs = jobs,
				       .seen = seen,
				       .len = len,
				       .slots = new_array(size_t, slots),
				       .mask = slots - 1 };
	for (size_t i = 0; i < len; i++)
		*slot_of(index, jobs[i]->native_id) = i + 1;
}

/* What is known about the job with this id, or NULL when it is not asked for. */
static struct observation *find(struct slurm_index *index, const char *id)
{
	size_t place = *slot_of(index, id);

	return place ? &index->seen[place - 1] : NULL;
}

void slurm_index_take(struct slurm_index *index, const char *id, const char *tasks,
		      const struct observation *seen)
{
	struct observation *job = find(index, id);

	if (!job)
		return;
	if (!job->runs) {
		*job = *seen;
		return;
	}
	memcpy(job->queue, seen->queue, sizeof(job->queue));
	if (tasks)
		slurm_runs_take(job->runs, tasks, seen);
}

bool slurm_is_known(const struct observation *seen)
{
	if (seen->runs)
		return !slurm_runs_miss_any(seen->runs);
	return seen->native_state[0] != '\0';
}

/*
 * What the scheduler cannot tell: the end of a job that it forgot, and the signal of one that
 * ended.
 */
static void explain_end(struct site *site, const struct job *job, struct observation *ret)
{
	struct observation left = { .state = JOB_UNKNOWN, .exit_code = JOB_NO_EXIT_CODE };

	jobdir_observe(site, job, &left);
	if (ret->state == JOB_FAILED && left.state == JOB_FAILED) {
		ret->exit_code = left.exit_code;
		ret->signal = left.signal;
		if (left.reason[0] != '\0')
			jobdir_copy_text(ret->reason, sizeof(ret->reason), left.reason);
	} else if (!slurm_is_known(ret) && job_state_is_ended(left.state)) {
		*ret = left;
		if (job->cancel_requested)
			ret->state = JOB_CANCELLED;
	} else if (!slurm_is_known(ret)) {
		jobdir_copy_text(ret->reason, sizeof(ret->reason),
				 left.reason[0] ? left.reason : "Slurm does not know it any more");
	}
}

static void add_status(const struct slurm_index *index, struct site *site, const struct job *job,
		       struct observation *ret)
{
	if (!index->is_dear && slurm_is_known(ret) && ret->state == JOB_RUNNING)
		jobdir_explain_hold(site, job, ret);
	if (!slurm_is_known(ret) || ret->state == JOB_FAILED)
		explain_end(site, job, ret);
}

/* Elsewhere, what add_status() is going to read comes in one piece, or is not known this time. */
static void prefetch_status(const struct slurm_index *index, struct site *site)
{
	cleanup_free const char **dirs = new_array(const char *, index->len);
	size_t len = 0;
	struct err why;

	site_forget(site);
	for (size_t i = 0; i < index->len; i++) {
		const struct observation *seen = &index->seen[i];

		if (seen->runs ? slurm_runs_want_status(seen->runs)
			       : !slurm_is_known(seen) || seen->state == JOB_FAILED ||
					 (seen->state == JOB_RUNNING && !index->is_dear))
			dirs[len++] = index->jobs[i]->directory;
	}
	if (site_prefetch(site, dirs, len, "status.", &why) < 0)
		log_debug("%s", why.text);
}

void slurm_index_add_status(const struct slurm_index *index, struct site *site)
{
	prefetch_status(index, site);
	for (size_t i = 0; i < index->len; i++) {
		if (index->seen[i].runs)
			slurm_runs_add_status(site, index->jobs[i], index->seen[i].runs);
		else
			add_status(index, site, index->jobs[i], &index->seen[i]);
	}
}
