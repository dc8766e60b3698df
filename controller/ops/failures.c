/* SPDX-License-Identifier: MIT */
/* Why jobs failed; see failures.h. */
#include "failures.h"

#include <inttypes.h>
#include <string.h>

#include "controller/ops/internal.h"
#include "controller/ops/jobs.h"
#include "controller/ops/runs.h"

#define LOG_MAX (64 * 1024)

/* Cuts off all but the last lines; an end of line that is the last byte begins none. */
static void keep_lines(struct buf *log, size_t lines)
{
	struct span text = buf_span(log);
	size_t at = text.len, seen = 0;

	while (at > 0 && seen < lines) {
		at--;
		seen += at == 0 || text.ptr[at - 1] == '\n';
	}
	buf_consume(log, at);
}

static void read_end(struct controller *c, const struct job *job, struct log_part part,
		     size_t lines, struct buf *ret)
{
	struct err why;

	part.offset = LOG_END;
	part.max = LOG_MAX;
	if (job->collected || ops_read_log(c, job, &part, ret, &why) < 0)
		buf_clear(ret);
	if (buf_len(ret) > 0)
		keep_lines(ret, lines);
}

/* Of the job as a whole; where that wrote nothing, of its first rank that did. */
static void add_log(struct controller *c, struct failure *failure, const struct job *job,
		    size_t lines)
{
	cleanup(buf_finish) struct buf log = BUF_INIT(LOG_MAX);
	struct log_part part = { .which = LOG_STDERR };

	if (lines == 0)
		return;
	part.rank = (unsigned int)job_first_rank(job, failure->task);
	part.of_task = job_is_array(job) && job->tasks > 1;
	part.of_rank = job_is_array(job) && job->tasks <= 1;
	read_end(c, job, part, lines, &log);
	if (buf_len(&log) == 0 && job->tasks > 1) {
		part.of_rank = true;
		read_end(c, job, part, lines, &log);
	}
	free(failure->log);
	failure->log = buf_take_str(&log);
}

/* What names the job, without how it is. */
static void copy_identity(struct job *to, const struct job *from)
{
	to->id = from->id;
	to->collected = from->collected;
	to->cancel_requested = from->cancel_requested;
	job_set(to, uid, from->uid);
	job_set(to, name, from->name);
	job_set(to, cluster, from->cluster);
	job_set(to, backend, from->backend);
	job_set(to, native_id, from->native_id);
	job_set(to, queue, from->queue);
	job_set(to, command, from->command);
}

static void add_run(struct failure_list *list, const struct job *job, const struct run *run)
{
	struct failure *failure = failure_list_add(list);
	struct job *failed = &failure->job;
	cleanup_free char *task = str_printf("%" PRIu64, run->task);

	copy_identity(failed, job);
	failure->task = run->task;
	if (job_is_array(job))
		job_set(failed, only, task);
	job_set(failed, native_state, run->native_state);
	job_set(failed, reason, run->reason);
	job_set(failed, node_list, run->node_list);
	failed->state = run->state;
	failed->exit_code = run->exit_code;
	failed->signal = run->signal;
	failed->started_ns = run->started_ns;
	failed->ended_ns = run->ended_ns;
	failed->attempts = run->attempt;
}

/* Each task counts by its last attempt: one that was started again may have done well then. */
static bool is_last_attempt(const struct run_list *runs, size_t i)
{
	return i + 1 == runs->len || runs->items[i + 1].task != runs->items[i].task;
}

static int add_job(struct controller *c, const struct job *job, size_t lines,
		   struct failure_list *ret, struct err *err)
{
	cleanup(run_list_finish) struct run_list runs = { 0 };

	if (ops_list_runs(c, job, &runs, err) < 0)
		return -1;
	for (size_t i = 0; i < runs.len; i++) {
		struct failure *failure;

		if (!is_last_attempt(&runs, i) || !failure_is_one(runs.items[i].state))
			continue;
		add_run(ret, job, &runs.items[i]);
		failure = &ret->items[ret->len - 1];
		failure_explain(&failure->job, failure->explanation, sizeof(failure->explanation));
		add_log(c, failure, job, lines);
	}
	return 0;
}

int ops_list_failures(struct controller *c, const struct job_list *jobs, size_t lines,
		      struct failure_list *ret, struct err *err)
{
	for (size_t i = 0; i < jobs->len; i++) {
		const struct job *job = &jobs->items[i];

		if (!failure_is_one(job->state) && !job_is_array(job))
			continue;
		if (add_job(c, job, MIN(lines, (size_t)OPS_FAILURE_LINES_MAX), ret, err) < 0)
			return -1;
	}
	return 0;
}
