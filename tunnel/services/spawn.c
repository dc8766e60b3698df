/* SPDX-License-Identifier: MIT */
/* Starts a program; see spawn.h. */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init/base/exec.h"
#include "init/base/macro.h"

#define EXIT_CANNOT_EXECUTE 126
#define EXIT_NO_SUCH_FILE 127

static void say(const char *text)
{
	/* Nobody is left to tell if this fails. */
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		return;
}

/* Everything above standard error, whoever opened it. */
static void close_others(void)
{
	long max;

	if (syscall(SYS_close_range, 3U, ~0U, 0U) == 0)
		return;
	/* Before Linux 5.9. Descriptors of this program are close-on-exec anyway. */
	max = sysconf(_SC_OPEN_MAX);
	for (int fd = 3; fd < MIN(max, 65536L); fd++)
		close(fd);
}

static bool set_descriptors(const struct spawn *spawn)
{
	int fds[] = { spawn->in, spawn->out, spawn->err };

	/* Out of the way first: one may have the number that another is to get. */
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (fds[i] < 0)
			return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		if (dup2(fds[i], (int)i) < 0)
			return false;
	}
	return true;
}

static attr_noreturn void give_up(const char *what, const char *why, int status)
{
	say("berth: ");
	say(what);
	say(why);
	_exit(status);
}

/* "DIR/FILE"; an empty DIR is the current directory. False when it is too long. */
static bool join(char out[PATH_MAX], const char *dir, size_t dir_len, const char *file)
{
	size_t file_len = strlen(file);

	if (dir_len + 2 + file_len > PATH_MAX)
		return false;
	memcpy(out, dir, dir_len);
	if (dir_len > 0)
		out[dir_len++] = '/';
	memcpy(out + dir_len, file, file_len + 1);
	return true;
}

/*
 * As execvp(3), without its memory and without the shell that it takes for what is no program.
 * Returns the errno that tells most.
 */
static int execute(const struct spawn *spawn)
{
	const char *at = spawn->path;
	char candidate[PATH_MAX];
	int denied = ENOENT;

	if (!at || strchr(spawn->file, '/')) {
		execve(spawn->file, spawn->argv, spawn->environment);
		return errno;
	}
	for (;; at++) {
		size_t len = strcspn(at, ":");

		if (join(candidate, at, len, spawn->file)) {
			execve(candidate, spawn->argv, spawn->environment);
			if (errno == EACCES)
				denied = EACCES;
			else if (errno != ENOENT && errno != ENOTDIR)
				return errno;
		}
		at += len;
		if (*at == '\0')
			return denied;
	}
}

static attr_noreturn void run_child(const struct spawn *spawn)
{
	/* No allocation, no log: only what is safe after fork(2). */
	if (setsid() < 0 || (spawn->is_tty && ioctl(spawn->in, TIOCSCTTY, 0) < 0) ||
	    !set_descriptors(spawn))
		give_up("cannot set up the session", "\n", EXIT_CANNOT_EXECUTE);
	close_others();
	if (spawn->limits)
		rlimits_apply(spawn->limits);
	exec_reset_signals();
	if (spawn->directory && chdir(spawn->directory) < 0)
		give_up(spawn->directory, ": cannot change to this directory\n",
			EXIT_CANNOT_EXECUTE);
	if (spawn->before)
		execve(spawn->before[0], spawn->before, spawn->environment);
	switch (execute(spawn)) {
	case ENOENT:
		give_up(spawn->file, ": it, or the interpreter that it names, does not exist\n",
			EXIT_NO_SUCH_FILE);
	case E2BIG:
		give_up(spawn->file, ": the arguments and the environment are too long\n",
			EXIT_CANNOT_EXECUTE);
	default:
		give_up(spawn->file, ": cannot be executed\n", EXIT_CANNOT_EXECUTE);
	}
}

pid_t spawn_run(const struct spawn *spawn, struct err *err)
{
	sigset_t all, before;
	pid_t pid;
	int error;

	/* A handler of ours must not run in the child before its dispositions are reset. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	error = errno;
	if (pid == 0)
		run_child(spawn);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return err_set_errno(err, error, "start a process");
	return pid;
}
