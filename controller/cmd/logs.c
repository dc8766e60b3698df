/* SPDX-License-Identifier: MIT */
/* berth logs: what a job printed. */
#include <time.h>
#include <unistd.h>

#include "controller/cmd/cmd.h"
#include "controller/ops/gc.h"
#include "controller/ops/jobs.h"
#include "init/base/fd.h"
#include "init/base/text.h"

#define CHUNK 65536
#define POLL_MS 100
#define TAIL_MAX 1000000

struct args {
	bool follow;
	bool errors;
	const char *tail;
};

static const struct opt opts[] = {
	OPT_FLAG('f', "follow", struct args, follow, "go on until the job ends"),
	OPT_STR('n', "tail", struct args, tail, "LINES", "only the last lines"),
	OPT_FLAG(0, "stderr", struct args, errors, "what it wrote to standard error"),
	OPT_END,
};

/* A log on its way to standard output. */
struct log {
	struct controller *c;
	struct job job;
	bool errors;
	uint64_t offset;
};

static void log_finish(struct log *log)
{
	job_finish(&log->job);
}
DEFINE_CLEANUP_VALUE(struct log, log_finish)

/* Moves the offset to where the last lines begin: the starts of as many are kept in a ring. */
static int skip_to_tail(struct log *log, uint64_t lines, struct err *err)
{
	cleanup(buf_finish) struct buf chunk = BUF_INIT(CHUNK);
	cleanup_free uint64_t *starts = new_array(uint64_t, lines + 1);
	uint64_t at = 0, seen = 0;
	bool begins = true;

	do {
		struct span text;

		buf_clear(&chunk);
		if (ops_read_log(log->c, &log->job, log->errors, at, CHUNK, &chunk, err) < 0)
			return -1;
		text = buf_span(&chunk);
		for (size_t i = 0; i < text.len; i++, at++) {
			if (begins)
				starts[seen++ % (lines + 1)] = at;
			begins = text.ptr[i] == '\n';
		}
	} while (buf_len(&chunk) > 0);
	if (lines == 0)
		log->offset = at;
	else if (seen > 0)
		log->offset = starts[(seen > lines ? seen - lines : 0) % (lines + 1)];
	return 0;
}

static int copy_what_is_there(struct log *log, struct err *err)
{
	cleanup(buf_finish) struct buf chunk = BUF_INIT(CHUNK);

	do {
		buf_clear(&chunk);
		if (ops_read_log(log->c, &log->job, log->errors, log->offset, CHUNK, &chunk, err) <
		    0)
			return -1;
		if (fd_write_all(STDOUT_FILENO, buf_span(&chunk), err) < 0)
			return err_wrap(err, "standard output");
		log->offset += buf_len(&chunk);
	} while (buf_len(&chunk) > 0);
	return 0;
}

static int follow(struct log *log, struct err *err)
{
	unsigned int waited_ms = 0;

	while (!job_state_is_ended(log->job.state)) {
		if (waited_ms >= ops_poll_interval_ms(log->c, &log->job)) {
			waited_ms = 0;
			if (ops_refresh_job(log->c, &log->job, err) < 0)
				return -1;
		}
		if (copy_what_is_there(log, err) < 0)
			return -1;
		if (job_state_is_ended(log->job.state))
			break;
		nanosleep(&(struct timespec){ .tv_nsec = POLL_MS * 1000000L }, NULL);
		waited_ms += POLL_MS;
	}
	/* The end was seen after the last look at the log. */
	return copy_what_is_there(log, err);
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct args *args = opaque;
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(log_finish) struct log log = { .errors = args->errors };

	uint64_t tail = 0;

	(void)argc;
	if (args->tail && !text_parse_uint(args->tail, TAIL_MAX, &tail))
		return err_set(err, ERR_INVALID,
			       "--tail: '%.40s' is not a number of lines up to %d", args->tail,
			       TAIL_MAX);
	if (controller_open(&c, err) < 0 || ops_find_text(c, argv[0], &log.job, err) < 0)
		return -1;
	log.c = c;
	if (args->tail && skip_to_tail(&log, tail, err) < 0)
		return -1;
	if (args->follow ? follow(&log, err) < 0 : copy_what_is_there(&log, err) < 0)
		return -1;
	ops_collect_in_passing(c);
	return 0;
}

const struct verb cmd_logs = {
	.name = "logs",
	.operands = "JOB",
	.summary = "show what a job printed",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 1,
	.operands_max = 1,
	.run = run,
};
