/* SPDX-License-Identifier: MIT */
/* How jobs of Slurm are; see slurm_observe.h. */
#include "slurm_observe.h"

#include <stdlib.h>
#include <string.h>

#include "controller/backends/jobdir.h"
#include "controller/backends/slurm_command.h"
#include "controller/backends/slurm_list.h"
#include "controller/backends/slurm_runs.h"
#include "init/base/log.h"

/* One argument of a program may not be longer (execve(2), MAX_ARG_STRLEN). */
#define IDS_MAX (120 * 1024)

/* Finds jobs by Slurm's id, ten thousand as quickly as ten. */
struct index {
	const struct backend *backend;
	const struct job *const *jobs;
	struct observation *seen;
	size_t *sorted; /* places in both, in the order of the ids */
	size_t len;
};

static void index_finish(struct index *index)
{
	free(index->sorted);
}
DEFINE_CLEANUP_VALUE(struct index, index_finish)

static int compare(const void *a, const void *b, void *opaque)
{
	const struct job *const *jobs = opaque;

	return strcmp(jobs[*(const size_t *)a]->native_id, jobs[*(const size_t *)b]->native_id);
}

static void index_init(struct index *index, const struct job *const *jobs, size_t len,
		       struct observation *seen)
{
	*index = (struct index){
		.jobs = jobs, .seen = seen, .sorted = new_array(size_t, len), .len = len
	};
	for (size_t i = 0; i < len; i++)
		index->sorted[i] = i;
	qsort_r(index->sorted, len, sizeof(*index->sorted), compare, (void *)(uintptr_t)jobs);
}

/* What is known about the job with this id, or NULL when it is not asked for. */
static struct observation *index_find(const struct index *index, const char *id)
{
	size_t low = 0, high = index->len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(id, index->jobs[index->sorted[middle]]->native_id);

		if (order == 0)
			return &index->seen[index->sorted[middle]];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static void take_line(const struct slurm_line *line, const struct index *index)
{
	struct observation *job = index_find(index, line->id);

	if (!job)
		return;
	if (!job->runs) {
		*job = line->seen;
		return;
	}
	memcpy(job->queue, line->seen.queue, sizeof(job->queue));
	if (line->tasks)
		slurm_runs_take(job->runs, line->tasks, &line->seen);
}

/* Gives each job what the output says about it; returns how many lines were about jobs at all. */
static size_t take_lines(enum slurm_list list, struct span text, const struct index *index)
{
	cleanup_free struct slurm_line *line = new_zero(struct slurm_line);
	size_t count = 0;
	int kind;

	while ((kind = slurm_next_line(list, &text, line)) >= 0) {
		if (kind == 0)
			continue;
		count++;
		take_line(line, index);
	}
	return count;
}

static int ask_queue(const struct index *index, struct err *err)
{
	static const char *const argv[] = { "squeue",	"--noheader",	    "--me", "--states=all",
					    "--Format", SLURM_QUEUE_FORMAT, NULL };
	cleanup(child_finish) struct child child = { 0 };

	if (slurm_run(index->backend, argv, slurm_list_environment, &child, err) < 0)
		return -1;
	if (take_lines(SLURM_QUEUE, buf_span(&child.output), index) == 0 &&
	    buf_len(&child.output) > 0)
		return err_set(err, ERR_PROTOCOL,
			       "squeue printed something that is not understood");
	return 0;
}

static bool is_known(const struct observation *seen)
{
	if (seen->runs)
		return !slurm_runs_miss_any(seen->runs);
	return seen->native_state[0] != '\0';
}

/* Asks about the jobs in ids; false when there is no accounting. */
static bool ask_accounting_about(const char *ids, const struct index *index)
{
	const char *argv[] = { "sacct",		"--noheader", "--parsable2",
			       "--allocations", "--format",   SLURM_ACCOUNT_FORMAT,
			       "--jobs",	ids,	      NULL };
	cleanup(child_finish) struct child child = { 0 };

	if (slurm_run(index->backend, argv, slurm_list_environment, &child, NULL) < 0)
		return false;
	take_lines(SLURM_ACCOUNT, buf_span(&child.output), index);
	return true;
}

/* Jobs that left the queue are in the accounting database; without one the status files decide. */
static void ask_accounting(const struct index *index)
{
	cleanup(buf_finish) struct buf ids = BUF_INIT(IDS_MAX);
	bool answers = true;

	for (size_t i = 0; i < index->len && answers; i++) {
		if (is_known(&index->seen[i]))
			continue;
		if (buf_len(&ids) > IDS_MAX - 2 * BACKEND_ID_MAX) {
			answers = ask_accounting_about(buf_str(&ids), index);
			buf_clear(&ids);
		}
		if (!buf_printf(&ids, "%s%s", buf_len(&ids) ? "," : "", index->jobs[i]->native_id))
			return;
	}
	if (answers && buf_len(&ids) > 0)
		ask_accounting_about(buf_str(&ids), index);
}

/*
 * What the scheduler cannot tell: the end of a job that it forgot, and the signal of one that
 * ended.
 */
static void add_status(struct site *site, const struct job *job, struct observation *ret)
{
	struct observation left = { .state = JOB_UNKNOWN, .exit_code = JOB_NO_EXIT_CODE };

	if (is_known(ret) && ret->state == JOB_RUNNING)
		jobdir_explain_hold(site, job, ret);
	if (is_known(ret) && ret->state != JOB_FAILED)
		return;
	jobdir_observe(site, job, &left);
	if (ret->state == JOB_FAILED && left.state == JOB_FAILED) {
		ret->exit_code = left.exit_code;
		ret->signal = left.signal;
		if (left.reason[0] != '\0')
			jobdir_copy_text(ret->reason, sizeof(ret->reason), left.reason);
	} else if (!is_known(ret) && job_state_is_ended(left.state)) {
		*ret = left;
		if (job->cancel_requested)
			ret->state = JOB_CANCELLED;
	} else if (!is_known(ret)) {
		jobdir_copy_text(ret->reason, sizeof(ret->reason),
				 left.reason[0] ? left.reason : "Slurm does not know it any more");
	}
}

/* Elsewhere, what add_status() is going to read comes in one piece, or is not known this time. */
static void prefetch_status(const struct index *index)
{
	cleanup_free const char **dirs = new_array(const char *, index->len);
	size_t len = 0;
	struct err why;

	site_forget(index->backend->site);
	for (size_t i = 0; i < index->len; i++) {
		const struct observation *seen = &index->seen[i];

		if (seen->runs ? slurm_runs_want_status(seen->runs)
			       : !is_known(seen) || seen->state == JOB_RUNNING ||
					 seen->state == JOB_FAILED)
			dirs[len++] = index->jobs[i]->directory;
	}
	if (site_prefetch(index->backend->site, dirs, len, "status.", &why) < 0)
		log_debug("%s", why.text);
}

int slurm_observe(struct backend *backend, const struct job *const *jobs, size_t len,
		  struct observation *ret, struct err *err)
{
	cleanup(index_finish) struct index index = { 0 };

	index_init(&index, jobs, len, ret);
	index.backend = backend;
	if (ask_queue(&index, err) < 0)
		return -1;
	ask_accounting(&index);
	prefetch_status(&index);
	for (size_t i = 0; i < len; i++) {
		if (ret[i].runs)
			slurm_runs_add_status(backend->site, jobs[i], ret[i].runs);
		else
			add_status(backend->site, jobs[i], &ret[i]);
	}
	return 0;
}
