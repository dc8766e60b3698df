/* SPDX-License-Identifier: MIT */
/* Starts a program that outlives berth; see launch.h. */
#include "launch.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "controller/backends/local/kill.h"
#include "controller/backends/local/sandbox.h"
#include "init/base/exec.h"
#include "init/base/fd.h"
#include "init/base/fs.h"

#define INFO_MAX 4096
#define GRACE_NS (10 * NSEC_PER_SEC)

/* What the launcher tells berth. */
struct report {
	int os; /* errno of a failed start, or 0 */
	struct process process;
};

/* Every descriptor from 3 on, close-on-exec: the job must not hold a pipe of our caller open. */
static void hide_descriptors(void)
{
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return;
	for (int fd = 3; fd < 1024; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* In the process that becomes the program. */
attr_noreturn static void become(const struct launch *launch, int out, int errors, int failed)
{
	int null = open("/dev/null", O_RDONLY);
	int os = 0;

	hide_descriptors();
	exec_reset_signals();
	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(errors, 2) < 0 ||
	    (launch->info[1] >= 0 && fcntl(launch->info[1], F_SETFD, 0) < 0) ||
	    chdir(launch->workdir) < 0)
		os = errno;
	for (size_t i = 0; i < launch->env_len; i++)
		putenv((char *)(uintptr_t)launch->env[i]);
	if (os == 0) {
		execvp(launch->argv[0], (char *const *)(uintptr_t)launch->argv);
		os = errno;
	}
	if (write(failed, &os, sizeof(os)) < 0)
		_exit(126);
	_exit(127);
}

static pid_t read_info(int fd)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(INFO_MAX);

	if (fd_read_all(fd, INFO_MAX, &text, NULL) < 0)
		return 0;
	return sandbox_parse_info(buf_span(&text));
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

/* Waits for the child until the deadline; SIGCHLD is blocked. True when it ended. */
static bool wait_until(pid_t child, uint64_t deadline)
{
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	for (;;) {
		uint64_t now = monotonic_ns();
		struct timespec wait;

		if (waitpid(child, NULL, WNOHANG) != 0)
			return true;
		if (now >= deadline)
			return false;
		wait.tv_sec = (time_t)((deadline - now) / NSEC_PER_SEC);
		wait.tv_nsec = (long)((deadline - now) % NSEC_PER_SEC);
		sigtimedwait(&chld, NULL, &wait);
	}
}

/* A program that is gone already, and a sandbox that did not come up, are not alive. */
static void identify(pid_t pid, struct process *ret)
{
	if (process_identify(pid, ret))
		return;
	*ret = (struct process){ .pid = MAX(pid, 1) };
	if (gethostname(ret->host, sizeof(ret->host) - 1) < 0)
		ret->host[0] = '\0';
}

static void note_process(const struct launch *launch, const struct process *process)
{
	cleanup_free char *path = fs_join(launch->job_dir, LAUNCH_PROCESS_NOTE);
	char text[PROCESS_TEXT_MAX];

	process_format(process, text, sizeof(text));
	if (fs_write_file_unsynced(path, span_of_str(text), 0600, NULL) < 0)
		return; /* who reads the report knows it too */
}

bool launch_find(const char *job_dir, struct process *ret)
{
	cleanup_free char *path = fs_join(job_dir, LAUNCH_PROCESS_NOTE);
	cleanup(buf_finish) struct buf text = BUF_INIT(PROCESS_TEXT_MAX);

	return fs_read_file(path, PROCESS_TEXT_MAX, &text, NULL) == 0 &&
	       process_parse(buf_str(&text), ret);
}

/* Politely, then not. The mark comes first, so that nobody takes the end for another one. */
static void enforce_limit(const struct launch *launch, pid_t child, const struct process *process)
{
	cleanup_free char *mark = fs_join(launch->job_dir, LAUNCH_LIMIT_MARK);

	if (wait_until(child, monotonic_ns() + launch->limit_ns) || !process_is_alive(process))
		return;
	fd_close(fd_open_mode(mark, O_WRONLY | O_CREAT, 0600));
	if (process_signal(process, SIGTERM, NULL) < 0 ||
	    !wait_until(child, monotonic_ns() + GRACE_NS)) {
		if (localkill(launch->job_dir, process, NULL) < 0)
			_exit(1);
	}
}

/* Starts the program; what became of that is in the report. Returns the child, or -1. */
static pid_t start(const struct launch *launch, int out, int errors, struct report *report)
{
	int failed[2];
	pid_t child = pipe2(failed, O_CLOEXEC) < 0 ? -1 : fork();

	if (child == 0)
		become(launch, out, errors, failed[1]);
	if (child < 0) {
		report->os = errno;
		return -1;
	}
	close(failed[1]);
	fd_close(launch->info[1]);
	if (read(failed[0], &report->os, sizeof(report->os)) <= 0)
		identify(launch->info[0] >= 0 ? read_info(launch->info[0]) : child,
			 &report->process);
	return child;
}

attr_noreturn static void be_launcher(const struct launch *launch, int out, int errors, int to)
{
	int null = open("/dev/null", O_RDWR);
	struct report report = { 0 };
	sigset_t chld;
	pid_t child;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	signal(SIGCHLD, SIG_DFL);
	/* Berth may be gone; the job's time is limited all the same. */
	signal(SIGPIPE, SIG_IGN);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	child = start(launch, out, errors, &report);
	if (report.os == 0)
		note_process(launch, &report.process);
	(void)!write(to, &report, sizeof(report));
	close_range(3, ~0U, 0);
	if (report.os == 0 && launch->limit_ns > 0)
		enforce_limit(launch, child, &report.process);
	_exit(0);
}

static int open_output(const char *dir, const char *name, struct err *err)
{
	cleanup_free char *path = fs_join(dir, name);
	int fd = fd_open_mode(path, O_WRONLY | O_CREAT | O_APPEND, 0600);

	return fd < 0 ? err_set_errno(err, errno, "create %s", path) : fd;
}

static int read_report(int from, pid_t middle, struct report *ret, struct err *err)
{
	ssize_t n;

	while (waitpid(middle, NULL, 0) < 0 && errno == EINTR)
		;
	do
		n = read(from, ret, sizeof(*ret));
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*ret))
		return err_set(err, ERR_SYSTEM, "the job's launcher died");
	return 0;
}

int launch_detached(struct launch *launch, struct process *ret, struct err *err)
{
	cleanup_close int out = open_output(launch->job_dir, "stdout", err);
	cleanup_close int errors = out < 0 ? -1 : open_output(launch->job_dir, "stderr", err);
	cleanup_close int from = -1, to = -1;
	struct report report;
	int pipe_fds[2];
	pid_t middle;

	if (errors < 0)
		return -1;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_set_errno(err, errno, "pipe");
	from = pipe_fds[0];
	to = pipe_fds[1];
	middle = fork();
	if (middle < 0)
		return err_set_errno(err, errno, "fork");
	if (middle == 0) {
		if (setsid() >= 0 && fork() == 0)
			be_launcher(launch, out, errors, to);
		_exit(0);
	}
	to = fd_close(to);
	launch->info[1] = fd_close(launch->info[1]);
	if (read_report(from, middle, &report, err) < 0)
		return -1;
	if (report.os != 0)
		return err_set_errno(err, report.os, "start '%s'", launch->argv[0]);
	*ret = report.process;
	return 0;
}
