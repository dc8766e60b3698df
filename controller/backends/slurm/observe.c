/* SPDX-License-Identifier: MIT */
/* How jobs of Slurm are; see observe.h. */
#include "observe.h"

#include <string.h>

#include "controller/backends/slurm/command.h"
#include "controller/backends/slurm/index.h"
#include "controller/backends/slurm/list.h"
#include "controller/backends/slurm/slurm.h"
#include "init/base/log.h"

/* One argument of a program may not be longer (execve(2), MAX_ARG_STRLEN). */
#define IDS_MAX (120 * 1024)

static const char *const squeue[] = { "squeue",	  "--noheader",	      "--me", "--states=all",
				      "--Format", SLURM_QUEUE_FORMAT, NULL };

/* A question about jobs. */
struct question {
	struct slurm_index index;
	struct backend *backend;
	struct slurm_line *line; /* the one that is read; large */
	size_t bytes, lines;	 /* what was answered, and what of it is about jobs */
};

static void question_finish(struct question *question)
{
	slurm_index_finish(&question->index);
	free(question->line);
}
DEFINE_CLEANUP_VALUE(struct question, question_finish)

/* Gives each job what the text says about it. */
static void take_lines(enum slurm_list list, struct span text, struct question *question)
{
	struct slurm_line *line = question->line;
	int kind;

	question->bytes += text.len;
	while ((kind = slurm_next_line(list, &text, line)) >= 0) {
		if (kind == 0)
			continue;
		question->lines++;
		slurm_index_take(&question->index, line->id, line->tasks, &line->seen);
	}
}

/* The whole lines of what has arrived. */
static size_t take_piece(void *owner, struct span so_far)
{
	const uint8_t *end = memrchr(so_far.ptr, '\n', so_far.len);
	struct span whole = span_of(so_far.ptr, end ? (size_t)(end - so_far.ptr) + 1 : 0);

	take_lines(SLURM_QUEUE, whole, owner);
	return whole.len;
}

static int ask_queue(struct question *question, struct err *err)
{
	cleanup(running_stop) struct running *begun = take_ptr(slurm_of(question->backend)->queue);
	const struct child_reader reader = { .take = take_piece, .owner = question };
	cleanup(child_finish) struct child child = { 0 };
	int result =
		begun ? slurm_follow(begun, squeue[0], &reader, &child, err)
		      : slurm_run(question->backend, squeue, slurm_list_environment, &child, err);

	if (result < 0)
		return -1;
	take_lines(SLURM_QUEUE, buf_span(&child.output), question);
	if (question->lines == 0 && question->bytes > 0)
		return err_set(err, ERR_PROTOCOL,
			       "squeue printed something that is not understood");
	return 0;
}

/* Asks about the jobs in ids; false when there is no accounting. */
static bool ask_accounting_about(const char *ids, struct question *question)
{
	const char *argv[] = { "sacct",		"--noheader", "--parsable2",
			       "--allocations", "--format",   SLURM_ACCOUNT_FORMAT,
			       "--jobs",	ids,	      NULL };
	cleanup(child_finish) struct child child = { 0 };

	if (slurm_run(question->backend, argv, slurm_list_environment, &child, NULL) < 0)
		return false;
	take_lines(SLURM_ACCOUNT, buf_span(&child.output), question);
	return true;
}

/* Jobs that left the queue are in the accounting database; without one the status files decide. */
static void ask_accounting(struct question *question)
{
	cleanup(buf_finish) struct buf ids = BUF_INIT(IDS_MAX);
	bool answers = true;

	for (size_t i = 0; i < question->index.len && answers; i++) {
		if (slurm_is_known(&question->index.seen[i]))
			continue;
		if (buf_len(&ids) > IDS_MAX - 2 * BACKEND_ID_MAX) {
			answers = ask_accounting_about(buf_str(&ids), question);
			buf_clear(&ids);
		}
		if (!buf_printf(&ids, "%s%s", buf_len(&ids) ? "," : "",
				question->index.jobs[i]->native_id))
			return;
	}
	if (answers && buf_len(&ids) > 0)
		ask_accounting_about(buf_str(&ids), question);
}

void slurm_expect(struct backend *backend)
{
	const struct child_plan plan = { .argv = squeue,
					 .env = slurm_list_environment,
					 .timeout_ms = SLURM_TIMEOUT_MS };
	struct slurm *slurm = slurm_of(backend);
	struct err why;

	if (site_is_remote(backend->site))
		return;
	slurm->queue = running_stop(slurm->queue); /* that answer is too old */
	/* What is wrong is said by who needs the answer. */
	if (child_start(&plan, &slurm->queue, &why) < 0)
		log_debug("%s", why.text);
}

int slurm_observe(struct backend *backend, const struct job *const *jobs, size_t len,
		  struct observation *ret, struct err *err)
{
	cleanup(question_finish) struct question question = { .backend = backend,
							      .line = new_zero(struct slurm_line) };

	slurm_index_init(&question.index, jobs, len, ret);
	if (ask_queue(&question, err) < 0)
		return -1;
	ask_accounting(&question);
	slurm_index_add_status(&question.index, backend->site);
	return 0;
}
