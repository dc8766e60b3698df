/* SPDX-License-Identifier: MIT */
/* How jobs of Slurm are; see observe.h. */
#include "observe.h"

#include "controller/backends/slurm/command.h"
#include "controller/backends/slurm/index.h"
#include "controller/backends/slurm/list.h"

/* One argument of a program may not be longer (execve(2), MAX_ARG_STRLEN). */
#define IDS_MAX (120 * 1024)

/* A question about jobs. */
struct question {
	struct slurm_index index;
	const struct backend *backend;
};

static void question_finish(struct question *question)
{
	slurm_index_finish(&question->index);
}
DEFINE_CLEANUP_VALUE(struct question, question_finish)

/* Gives each job what the output says about it; returns how many lines were about jobs at all. */
static size_t take_lines(enum slurm_list list, struct span text, const struct slurm_index *index)
{
	cleanup_free struct slurm_line *line = new_zero(struct slurm_line);
	size_t count = 0;
	int kind;

	while ((kind = slurm_next_line(list, &text, line)) >= 0) {
		if (kind == 0)
			continue;
		count++;
		slurm_index_take(index, line->id, line->tasks, &line->seen);
	}
	return count;
}

static int ask_queue(const struct question *question, struct err *err)
{
	static const char *const argv[] = { "squeue",	"--noheader",	    "--me", "--states=all",
					    "--Format", SLURM_QUEUE_FORMAT, NULL };
	cleanup(child_finish) struct child child = { 0 };

	if (slurm_run(question->backend, argv, slurm_list_environment, &child, err) < 0)
		return -1;
	if (take_lines(SLURM_QUEUE, buf_span(&child.output), &question->index) == 0 &&
	    buf_len(&child.output) > 0)
		return err_set(err, ERR_PROTOCOL,
			       "squeue printed something that is not understood");
	return 0;
}

/* Asks about the jobs in ids; false when there is no accounting. */
static bool ask_accounting_about(const char *ids, const struct question *question)
{
	const char *argv[] = { "sacct",		"--noheader", "--parsable2",
			       "--allocations", "--format",   SLURM_ACCOUNT_FORMAT,
			       "--jobs",	ids,	      NULL };
	cleanup(child_finish) struct child child = { 0 };

	if (slurm_run(question->backend, argv, slurm_list_environment, &child, NULL) < 0)
		return false;
	take_lines(SLURM_ACCOUNT, buf_span(&child.output), &question->index);
	return true;
}

/* Jobs that left the queue are in the accounting database; without one the status files decide. */
static void ask_accounting(const struct question *question)
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

int slurm_observe(struct backend *backend, const struct job *const *jobs, size_t len,
		  struct observation *ret, struct err *err)
{
	cleanup(question_finish) struct question question = { .backend = backend };

	slurm_index_init(&question.index, jobs, len, ret);
	if (ask_queue(&question, err) < 0)
		return -1;
	ask_accounting(&question);
	slurm_index_add_status(&question.index, backend->site);
	return 0;
}
