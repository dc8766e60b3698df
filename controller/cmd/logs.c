/* SPDX-License-Identifier: MIT */
/* berth logs: what a job printed. */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controller/cmd/cmd.h"
#include "controller/model/moment.h"
#include "controller/ops/gc.h"
#include "controller/ops/jobs.h"
#include "init/base/fd.h"
#include "init/base/text.h"

#define CHUNK 65536
#define POLL_MS 100
/* Through a login node each look is a message, and what comes in one is as much as there is. */
#define POLL_REMOTE_MS 1000
#define POLL_DEAR_MS 3000
#define CHUNK_REMOTE (1024 * 1024)
#define TAIL_MAX 1000000
/* How much of the end of a log is fetched for --tail before all of it is. */
#define TAIL_CHUNK_MIN ((size_t)64 * 1024)
#define TAIL_LINE_USUAL 128

struct args {
	bool follow;
	bool errors;
	const char *tail, *since;
};

static const struct opt opts[] = {
	OPT_FLAG('f', "follow", struct args, follow, "go on until the job ends"),
	OPT_STR('n', "tail", struct args, tail, "LINES", "only the last lines"),
	OPT_STR(0, "since", struct args, since, "TIME",
		"only what it printed since then: 10m, 14:30, 2026-11-21T14:30"),
	OPT_FLAG(0, "stderr", struct args, errors, "what it wrote to standard error"),
	OPT_END,
};

/* One file of a log: of the job or a task as a whole, or of one rank. */
struct source {
	struct log_part part;
	bool is_open; /* more can follow: what is no whole line yet stays, if others print too */
};

/* A log on its way to standard output. */
struct log {
	struct controller *c;
	struct job job;
	struct source *sources;
	size_t len;
	size_t chunk; /* how much is read at once */
	unsigned int poll_ms;
	bool is_remote;
	bool is_expected; /* the next look was announced */
};

static void log_finish(struct log *log)
{
	job_finish(&log->job);
	free(log->sources);
}
DEFINE_CLEANUP_VALUE(struct log, log_finish)

static void add_source(struct log *log, struct log_part part)
{
	part.max = log->chunk;
	/* Grown in powers of two: the capacity follows from the length. */
	if ((log->len & (log->len - 1)) == 0)
		log->sources = alloc_grow(log->sources, log->len ? log->len * 2 : 1,
					  sizeof(*log->sources));
	log->sources[log->len++] = (struct source){ .part = part, .is_open = true };
}

/* Each rank of the job, or of the task that is meant, and before them what their task printed. */
static void add_ranks(struct log *log, enum log_stream which)
{
	const struct job *job = &log->job;
	bool has_tasks = job_is_array(job) && job->tasks > 1;

	for (uint64_t rank = 0; job_next_rank(job, rank, &rank); rank++) {
		struct log_part part = { .which = which, .rank = (unsigned int)rank };

		if (!job_means_rank(job, rank))
			continue;
		part.of_task =
			has_tasks && rank == job_first_rank(job, job_task_of_rank(job, rank));
		if (part.of_task)
			add_source(log, part);
		part.of_task = false;
		part.of_rank = true;
		add_source(log, part);
	}
}

/* The rank that was asked for; else what the job printed as a whole, and then each rank. */
static int choose_sources(struct log *log, const struct ref *ref, bool errors, struct err *err)
{
	struct log_part part = { .which = errors ? LOG_STDERR : LOG_STDOUT };
	const struct job *job = &log->job;

	if (ref->has_rank && (!job_is_array(job) || job->tasks <= 1 || ref->has_inner)) {
		part.of_rank = true;
		if (ref_choose_rank(ref, job, &part.rank, err) < 0)
			return -1;
		add_source(log, part);
		return 0;
	}
	if (!ref->has_rank)
		add_source(log, part);
	if (job->tasks > 1 || job_is_array(job))
		add_ranks(log, part.which);
	return 0;
}

/* Moves the offset to where the last lines begin: the starts of as many are kept in a ring. */
static int skip_to_tail(struct log *log, struct source *source, uint64_t lines, struct err *err)
{
	cleanup(buf_finish) struct buf chunk = BUF_INIT(log->chunk);
	cleanup_free uint64_t *starts = new_array(uint64_t, lines + 1);
	struct log_part part = source->part;
	uint64_t seen = 0;
	bool begins = true;

	do {
		struct span text;

		buf_clear(&chunk);
		if (ops_read_log(log->c, &log->job, &part, &chunk, err) < 0)
			return -1;
		text = buf_span(&chunk);
		for (size_t i = 0; i < text.len; i++, part.offset++) {
			if (begins)
				starts[seen++ % (lines + 1)] = part.offset;
			begins = text.ptr[i] == '\n';
		}
	} while (buf_len(&chunk) > 0);
	if (lines == 0)
		source->part.offset = part.offset;
	else if (seen > 0)
		source->part.offset = starts[(seen > lines ? seen - lines : 0) % (lines + 1)];
	return 0;
}

/* How much of it is whole lines; all of it when it is longer than a chunk. */
static size_t whole_lines(struct span text, size_t chunk)
{
	const uint8_t *newline = memrchr(text.ptr, '\n', text.len);

	return newline || text.len == chunk
		       ? (newline ? (size_t)(newline - text.ptr) + 1 : text.len)
		       : 0;
}

static int copy_source(struct log *log, struct source *source, struct err *err)
{
	cleanup(buf_finish) struct buf chunk = BUF_INIT(log->chunk);
	struct span text;

	do {
		buf_clear(&chunk);
		if (ops_read_log(log->c, &log->job, &source->part, &chunk, err) < 0)
			return -1;
		text = buf_span(&chunk);
		if (log->len > 1 && source->is_open)
			text.len = whole_lines(text, log->chunk);
		if (fd_write_all(STDOUT_FILENO, text, err) < 0)
			return err_wrap(err, "standard output");
		source->part.offset += text.len;
		/* Where reading costs a request, less than was asked for is the end. */
	} while (buf_len(&chunk) == log->chunk && text.len > 0);
	return 0;
}

static int expect(struct log *log, uint64_t since_ns, struct err *err)
{
	cleanup_free struct log_part *parts = new_array(struct log_part, log->len);

	for (size_t i = 0; i < log->len; i++)
		parts[i] = log->sources[i].part;
	return ops_expect_logs(log->c, &log->job, parts, log->len, since_ns, err);
}

/*
 * Cuts off what is before the last lines; false when there may be too few: these bytes are not the
 * whole log, and begin with what may be part of a line.
 */
static bool cut_to_tail(struct span *text, uint64_t lines, bool is_whole)
{
	uint64_t seen = 0;

	for (size_t i = text->len; i > 1 && seen < lines; i--) {
		if (text->ptr[i - 2] == '\n' && ++seen == lines)
			span_cut(text, i - 1);
	}
	return is_whole || seen == lines;
}

/* Where reading costs a request: the end of each log, all in one; more only where that is short. */
static int copy_tails(struct log *log, uint64_t lines, struct err *err)
{
	size_t max = MIN(MAX(TAIL_CHUNK_MIN, lines * TAIL_LINE_USUAL), log->chunk);

	for (size_t i = 0; i < log->len; i++) {
		log->sources[i].part.offset = LOG_END;
		log->sources[i].part.max = max;
	}
	if (expect(log, 0, err) < 0)
		return -1;
	for (size_t i = 0; i < log->len; i++) {
		cleanup(buf_finish) struct buf chunk = BUF_INIT(max);
		struct source *source = &log->sources[i];
		struct span text;

		if (ops_read_log(log->c, &log->job, &source->part, &chunk, err) < 0)
			return -1;
		text = buf_span(&chunk);
		if (cut_to_tail(&text, lines, text.len < max)) {
			if (fd_write_all(STDOUT_FILENO, text, err) < 0)
				return err_wrap(err, "standard output");
			continue;
		}
		source->is_open = false;
		source->part.offset = 0;
		source->part.max = log->chunk;
		if (skip_to_tail(log, source, lines, err) < 0 || copy_source(log, source, err) < 0)
			return -1;
	}
	return 0;
}

static int copy_what_is_there(struct log *log, bool is_last, struct err *err)
{
	if (!log->is_expected && expect(log, 0, err) < 0)
		return -1;
	log->is_expected = false;
	for (size_t i = 0; i < log->len; i++) {
		log->sources[i].is_open = !is_last;
		if (copy_source(log, &log->sources[i], err) < 0)
			return -1;
	}
	return 0;
}

static int follow(struct log *log, struct err *err)
{
	struct job_list one = { .items = &log->job, .len = 1 };
	unsigned int waited_ms = 0;

	while (!job_state_is_ended(log->job.state)) {
		if (waited_ms >= ops_poll_interval_ms(log->c, &log->job)) {
			waited_ms = 0;
			if (ops_refresh_patiently(log->c, &one, err) < 0)
				return -1;
		}
		if (copy_what_is_there(log, false, err) < 0)
			return -1;
		if (job_state_is_ended(log->job.state))
			break;
		nanosleep(&(struct timespec){ .tv_sec = log->poll_ms / 1000,
					      .tv_nsec = (long)(log->poll_ms % 1000) * 1000000 },
			  NULL);
		waited_ms += log->poll_ms;
	}
	/* The end was seen after the last look at the log. */
	return copy_what_is_there(log, true, err);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

/* Where each of them begins. 1: it had ended before. */
static int begin_since(struct log *log, uint64_t since_ns, struct err *err)
{
	if (job_state_is_ended(log->job.state) && log->job.ended_ns > 0 &&
	    log->job.ended_ns + NSEC_PER_SEC < since_ns)
		return 1;
	if (log->job.started_ns > since_ns)
		return 0;
	if (expect(log, since_ns, err) < 0)
		return -1;
	log->is_expected = true;
	for (size_t i = 0; i < log->len; i++) {
		if (ops_log_since(log->c, &log->job, since_ns, &log->sources[i].part, err) < 0)
			return -1;
	}
	return 0;
}

/* What --tail and --since mean, where they are given. */
struct from {
	uint64_t lines, since_ns;
};

static int parse(const struct args *args, struct from *ret, struct err *err)
{
	if (args->tail && !text_parse_uint(args->tail, TAIL_MAX, &ret->lines))
		return err_set(err, ERR_INVALID,
			       "--tail: '%.40s' is not a number of lines up to %d", args->tail,
			       TAIL_MAX);
	if (args->since && !moment_parse(args->since, now_ns(), &ret->since_ns))
		return err_set(err, ERR_INVALID,
			       "--since: '%.40s' is no time in the past, such as 10m, 14:30, "
			       "2026-11-21T14:30",
			       args->since);
	return 0;
}

static int copy(struct log *log, const struct args *args, const struct from *from, struct err *err)
{
	int before = args->since ? begin_since(log, from->since_ns, err) : 0;

	if (before != 0)
		return before < 0 ? -1 : 0;
	if (args->tail && log->is_remote && !args->since && !args->follow && from->lines > 0)
		return copy_tails(log, from->lines, err);
	for (size_t i = 0; args->tail && i < log->len; i++) {
		if (skip_to_tail(log, &log->sources[i], from->lines, err) < 0)
			return -1;
		log->is_expected = false;
	}
	return args->follow ? follow(log, err) : copy_what_is_there(log, true, err);
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct args *args = opaque;
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(log_finish) struct log log = { 0 };
	struct from from = { 0 };
	struct ref ref;

	(void)argc;
	if (parse(args, &from, err) < 0 || ref_parse(argv[0], &ref, err) < 0 ||
	    controller_open(&c, err) < 0 || ops_find(c, &ref, &log.job, err) < 0)
		return -1;
	log.is_remote = ops_job_is_remote(c, &log.job);
	log.chunk = log.is_remote ? CHUNK_REMOTE : CHUNK;
	log.poll_ms = log.is_remote ? POLL_REMOTE_MS : POLL_MS;
	if (ops_job_is_dear(c, &log.job))
		log.poll_ms = POLL_DEAR_MS;
	log.c = c;
	if (choose_sources(&log, &ref, args->errors, err) < 0 || copy(&log, args, &from, err) < 0)
		return -1;
	ops_collect_in_passing(c);
	return 0;
}

const struct verb cmd_logs = {
	.name = "logs",
	.operands = "JOB",
	.summary = "show what a job printed",
	.details =
		"JOB is job-7 or its name; job-7.3 is what its rank 3 printed, job-7_3 task 3 of an array,\n"
		"and job-7_3.1 rank 1 of that. Of several, each is shown, one behind the other; with\n"
		"--follow as their lines come.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 1,
	.operands_max = 1,
	.run = run,
};
