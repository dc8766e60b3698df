/* SPDX-License-Identifier: MIT */
/* Reading what a job left in its directory; see jobdir.h. */
#include "jobdir.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "init/base/fd.h"
#include "init/base/fs.h"
#include "init/base/log_times.h"

#define MINUTE_NS (60 * NSEC_PER_SEC)
/* Neither ports of Kubernetes' services (30000 and above) nor those that the kernel chooses. */
#define PORT_FIRST 20000
#define PORTS 10000
#define REASON_OOM "killed by the kernel: out of memory"

int jobdir_read_status(struct site *site, const char *dir, unsigned int rank, struct status *ret,
		       struct err *err)
{
	cleanup_free char *path = str_printf("%s/status.%u.json", dir, rank);
	cleanup(buf_finish) struct buf text = BUF_INIT(STATUS_MAX + 1);
	struct err own;

	if (site_read(site, path, 0, STATUS_MAX + 1, &text, &own) < 0) {
		if (own.kind == ERR_NOT_FOUND)
			return 0;
		return err_set(err, own.kind, "%s", own.text);
	}
	if (status_parse(buf_span(&text), ret, err) < 0)
		return err_wrap(err, "status.%u.json", rank);
	return 1;
}

static void note_times(const struct status *status, struct observation *ret)
{
	if (ret->started_ns == 0 || status->started_ns < ret->started_ns)
		ret->started_ns = status->started_ns;
	ret->ended_ns = MAX(ret->ended_ns, status->ended_ns);
}

static void explain_hold(const struct status *status, struct observation *ret)
{
	uint64_t now = jobdir_now_ns();
	uint64_t left = status->hold_until_ns > now ? status->hold_until_ns - now : 0;

	snprintf(ret->reason, sizeof(ret->reason), "held after %s %d, %" PRIu64 " min left",
		 status->signal ? "signal" : "exit",
		 status->signal ? status->signal : status->exit_code,
		 (left + MINUTE_NS - 1) / MINUTE_NS);
}

void jobdir_explain_hold(struct site *site, const struct job *job, struct observation *ret)
{
	struct status status;

	if (jobdir_read_status(site, job->directory, 0, &status, NULL) == 1 && status.held)
		explain_hold(&status, ret);
}

static void note_failure(const struct status *status, struct observation *ret)
{
	if (ret->exit_code > 0 || ret->signal != 0)
		return; /* the first one that failed says why */
	ret->exit_code = status->exit_code;
	ret->signal = status->signal;
	if (status->oom_killed && (status->exit_code != 0 || status->signal != 0))
		jobdir_copy_text(ret->reason, sizeof(ret->reason), REASON_OOM);
}

/* What ranks used. */
struct used {
	uint64_t max_rss, cpu_ns;
};

/* As many ranks as a job has, or a task of its array, from this one on. */
static void observe_ranks(struct site *site, const struct job *job, uint64_t first,
			  struct observation *ret, struct used *used)
{
	uint64_t running = 0, exited = 0;
	struct err err;

	for (uint64_t rank = first; rank < first + job->tasks; rank++) {
		struct status status;
		int found =
			jobdir_read_status(site, job->directory, (unsigned int)rank, &status, &err);

		if (found < 0)
			jobdir_copy_text(ret->reason, sizeof(ret->reason), err.text);
		if (found <= 0)
			break; /* ranks start together: after one that is missing, none is of use */
		note_times(&status, ret);
		running += !status.exited;
		exited += status.exited;
		used->max_rss = MAX(used->max_rss, status.max_rss);
		used->cpu_ns += status.cpu_ns;
		if (status.exited)
			note_failure(&status, ret);
		else if (status.held)
			explain_hold(&status, ret);
	}
	if (exited == job->tasks) {
		ret->state = ret->exit_code == 0 && ret->signal == 0 ? JOB_SUCCEEDED : JOB_FAILED;
		return;
	}
	ret->state = running + exited > 0 ? JOB_RUNNING : JOB_UNKNOWN;
	ret->exit_code = JOB_NO_EXIT_CODE;
	ret->signal = 0;
	ret->ended_ns = 0;
}

void jobdir_observe(struct site *site, const struct job *job, struct observation *ret)
{
	struct used used = { 0 };

	observe_ranks(site, job, 0, ret, &used);
}

bool jobdir_observe_run(struct site *site, const struct job *job, struct run *run)
{
	struct observation seen = { .exit_code = JOB_NO_EXIT_CODE };
	struct used used = { 0 };

	observe_ranks(site, job, job_first_rank(job, run->task), &seen, &used);
	if (seen.state == JOB_UNKNOWN)
		return false;
	run->state = seen.state;
	run->started_ns = seen.started_ns;
	if (seen.state == JOB_RUNNING)
		return true;
	run->exit_code = seen.exit_code;
	run->signal = seen.signal;
	run->ended_ns = seen.ended_ns;
	run->max_rss = used.max_rss;
	run->cpu_ns = used.cpu_ns;
	if (seen.reason[0] != '\0')
		run_set_text(&run->reason, seen.reason);
	return true;
}

/*
 * What a rank prints is in a file of its own (stdout.3, of an array stdout.7.3); the file of the
 * job, or of the task (stdout.7), has what is printed for all of them, which is everything where
 * there is but one.
 */
static char *log_path(const struct job *job, const struct log_part *part)
{
	const char *name = part->which == LOG_STDOUT ? "stdout" : "stderr";
	uint64_t task = job_task_of_rank(job, part->rank);

	if (job_is_array(job) && part->of_rank && job->tasks > 1)
		return str_printf("%s/%s.%" PRIu64 ".%" PRIu64, job->directory, name, task,
				  part->rank - job_first_rank(job, task));
	if (job_is_array(job) && (part->of_rank || part->of_task))
		return str_printf("%s/%s.%" PRIu64, job->directory, name, task);
	if (part->of_rank && job->tasks > 1)
		return str_printf("%s/%s.%u", job->directory, name, part->rank);
	return fs_join(job->directory, name);
}

int jobdir_read_log(struct backend *backend, const struct job *job, const struct log_part *part,
		    struct buf *ret, struct err *err)
{
	cleanup_free char *path = log_path(job, part);
	struct err own;

	if (site_read(backend->site, path, part->offset, part->max, ret, &own) < 0)
		return own.kind == ERR_NOT_FOUND ? 0 : err_set(err, own.kind, "%s", own.text);
	return 0;
}

/* What was printed with nobody to note it. */
static int refuse_unnoted(struct backend *backend, const char *log, struct err *err)
{
	cleanup(buf_finish) struct buf byte = BUF_INIT(1);
	struct err own;

	if (site_read(backend->site, log, 0, 1, &byte, &own) < 0)
		return own.kind == ERR_NOT_FOUND ? 0 : err_set(err, own.kind, "%s", own.text);
	if (buf_len(&byte) == 0)
		return 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "nobody noted when it printed what (berth-tunnel does, beside the log): "
		       "leave --since out, or say how many lines with --tail");
}

/* What was noted in this very second may have been printed after the moment. */
static uint64_t second_before(uint64_t since_ns)
{
	uint64_t second = since_ns / NSEC_PER_SEC;

	return second - MIN(second, UINT64_C(1));
}

int jobdir_log_since(struct backend *backend, const struct job *job, uint64_t since_ns,
		     struct log_part *part, struct err *err)
{
	cleanup_free char *log = log_path(job, part), *path = str_printf("%s.times", log);
	cleanup(buf_finish) struct buf text = BUF_INIT(LOG_TIMES_TEXT_MAX);
	struct log_times times;
	struct err own;

	part->offset = 0;
	if (site_read(backend->site, path, 0, LOG_TIMES_TEXT_MAX, &text, &own) < 0)
		return own.kind == ERR_NOT_FOUND ? refuse_unnoted(backend, log, err)
						 : err_set(err, own.kind, "%s", own.text);
	if (log_times_parse(buf_span(&text), &times, err) < 0)
		return err_wrap(err, "%s", path);
	part->offset = log_times_offset(&times, second_before(since_ns));
	return 0;
}

int jobdir_expect_logs(struct backend *backend, const struct job *job, const struct log_part *parts,
		       size_t len, uint64_t since_ns, struct err *err)
{
	cleanup_free struct site_part *wanted = NULL;
	int result;

	/* One read is one round trip as well. */
	if (!site_expects(backend->site) || (len <= 1 && since_ns == 0))
		return 0;
	wanted = new_array(struct site_part, len);
	for (size_t i = 0; i < len; i++)
		wanted[i] = (struct site_part){ .path = log_path(job, &parts[i]),
						.offset = parts[i].offset,
						.max = parts[i].max,
						.since = second_before(since_ns) };
	result = site_expect(backend->site, wanted, len, err);
	for (size_t i = 0; i < len; i++)
		free((char *)(uintptr_t)wanted[i].path);
	return result;
}

int jobdir_endpoint(struct backend *backend, const struct job *job, unsigned int rank, char **ret,
		    struct err *err)
{
	cleanup_free char *path = str_printf("%s/endpoint.%u.json", job->directory, rank);

	(void)backend;
	if (access(path, R_OK) < 0)
		return err_set_errno(err, errno, "%s", path);
	*ret = take_ptr(path);
	return 0;
}

void jobdir_first_line(const char *dir, const char *name, char *out, size_t size)
{
	cleanup_free char *path = fs_join(dir, name);
	cleanup_close int fd = fd_open(path, O_RDONLY);
	char text[BACKEND_REASON_MAX];
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	const char *line = text;

	text[n > 0 ? n : 0] = '\0';
	line += strspn(line, " \t\r\n");
	text[strcspn(line, "\n") + (size_t)(line - text)] = '\0';
	jobdir_copy_text(out, size, line);
}

uint16_t jobdir_port(const struct job *job)
{
	uint32_t hash = 2166136261U; /* FNV-1a */

	for (const char *c = job->uid; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 16777619U;
	return (uint16_t)(PORT_FIRST + hash % PORTS);
}

void jobdir_copy_text(char *out, size_t size, const char *text)
{
	size_t len = strnlen(text, size - 1);

	memcpy(out, text, len);
	out[len] = '\0';
	for (char *p = out; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	}
}

uint64_t jobdir_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

static bool take_path(const struct located *located, struct job *job)
{
	const char *last = strrchr(located->path, '/');
	cleanup_free char *directory = NULL;
	const char *slash;

	if (located->path[0] != '/' || strcmp(last + 1, located->file) != 0)
		return false;
	directory = str_dup_len(located->path, (size_t)(last - located->path));
	slash = strrchr(directory, '/');
	if (!slash || !job_is_uid(slash + 1))
		return false;
	job_set(job, directory, directory);
	job_set(job, uid, slash + 1);
	job->created_ns = (uint64_t)strtoul(slash + 1, NULL, 16) * NSEC_PER_SEC;
	return true;
}

void jobdir_add_located(const struct located *located, struct job_list *ret)
{
	cleanup(job_finish) struct job job = { 0 };
	char state[BACKEND_WORD_MAX];

	job_init(&job);
	if (!take_path(located, &job))
		return;
	for (size_t i = 0; i < ret->len; i++) {
		if (strcmp(ret->items[i].directory, job.directory) != 0)
			continue;
		if (located->state == JOB_RUNNING)
			ret->items[i].state = JOB_RUNNING;
		return;
	}
	jobdir_copy_text(state, sizeof(state), located->native_state);
	job.state = located->state;
	job_set(&job, native_id, located->native_id);
	job_set(&job, native_state, state);
	job_set(&job, name, located->name);
	job_list_take(ret, &job);
}

static bool is_empty(const char *directory)
{
	DIR *dir = opendir(directory);
	size_t len = 0;

	while (dir && readdir(dir))
		len++;
	if (dir)
		closedir(dir);
	return len == 2; /* itself, and the one above */
}

enum left { NOT_LEFT, LEFT_EMPTY, LEFT_LINK };

static enum left what_is_left(const char *directory, uint64_t before_ns)
{
	cleanup_free char *script = fs_join(directory, JOBDIR_SCRIPT);
	char target[sizeof(JOBDIR_NO_SCRIPT)];
	ssize_t len = readlink(script, target, sizeof(target));

	if (len == sizeof(target) - 1 && memcmp(target, JOBDIR_NO_SCRIPT, (size_t)len) == 0)
		return fs_is_older(script, before_ns) ? LEFT_LINK : NOT_LEFT;
	return len < 0 && fs_is_older(directory, before_ns) && is_empty(directory) ? LEFT_EMPTY
										   : NOT_LEFT;
}

bool jobdir_is_left(const char *directory, uint64_t before_ns)
{
	return what_is_left(directory, before_ns) != NOT_LEFT;
}

bool jobdir_remove_left(const char *directory, uint64_t before_ns)
{
	switch (what_is_left(directory, before_ns)) {
	case NOT_LEFT:
		return false;
	case LEFT_EMPTY:
		return rmdir(directory) == 0;
	case LEFT_LINK:
		return fs_remove_tree(directory, NULL) == 0;
	}
	return false;
}
