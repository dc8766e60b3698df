/* SPDX-License-Identifier: MIT */
/* Starting the command; see command.h. */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <unistd.h>

#include "init/base/fd.h"
#include "init/base/text.h"

#define PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin"
#define SHELL "/bin/sh"
#define LISTEN_PID "LISTEN_PID="

/* Returns errno: it comes back only when the file cannot be executed. */
static int execute_file(char *path, char **argv)
{
	static char shell[] = SHELL;
	size_t len = 0;

	execve(path, argv, environ);
	if (errno != ENOEXEC)
		return errno;
	/* POSIX: a script without an interpreter line is the shell's. */
	while (argv[len])
		len++;
	memmove(argv + 2, argv + 1, len * sizeof(*argv));
	argv[0] = shell;
	argv[1] = path;
	execve(SHELL, argv, environ);
	return ENOEXEC;
}

int command_execute(char **argv)
{
	const char *dirs = getenv("PATH");
	int seen = ENOENT;

	if (strchr(argv[0], '/'))
		return execute_file(argv[0], argv);
	if (argv[0][0] == '\0')
		return ENOENT;
	for (const char *dir = dirs ? dirs : PATH_DEFAULT, *end; dir; dir = *end ? end + 1 : NULL) {
		static char path[PATH_MAX];
		int len, os;

		end = strchrnul(dir, ':');
		len = snprintf(path, sizeof(path), "%.*s%s%s", (int)(end - dir), dir,
			       end == dir ? "./" : "/", argv[0]);
		if (len < 0 || (size_t)len >= sizeof(path))
			continue;
		os = execute_file(path, argv);
		if (os == EACCES)
			seen = os;
		else if (os != ENOENT && os != ENOTDIR && os != ESTALE && os != ENODEV &&
			 os != ETIMEDOUT)
			return os;
	}
	return seen;
}

void command_report(const struct command_failure *how, const char *name, int os)
{
	char line[512];

	snprintf(line, sizeof(line), "%s%.400s%s%s\n", how->before, name, how->between,
		 strerror(os));
	/* Nobody else can be told when standard error is gone. */
	if (write(STDERR_FILENO, line, strlen(line)) < 0)
		return;
}

/* What the child needs beyond the command itself, found out before the fork. */
struct start {
	pid_t parent;
	bool foreground;
	struct itimerval alarm;
	int ready[2]; /* pipe that ends when the child leads its session; else -1 */
};

/* Passed sockets are for the process that LISTEN_PID names: now that is this one. */
static void take_over_sockets(pid_t named)
{
	static char own[sizeof(LISTEN_PID) + 10];
	size_t len = strlen(LISTEN_PID);
	uint64_t pid = 0;

	for (char **variable = environ; variable && *variable; variable++) {
		if (strncmp(*variable, LISTEN_PID, len) != 0 ||
		    !text_parse_uint(*variable + len, INT_MAX, &pid) || (pid_t)pid != named)
			continue;
		snprintf(own, sizeof(own), LISTEN_PID "%d", (int)getpid());
		*variable = own;
	}
}

static void lead_group(const struct command *command, const struct start *start)
{
	setpgid(0, 0);
	if (start->foreground)
		terminal_give(&command->terminal, getpid());
}

static void lead_session(const struct start *start)
{
	setsid();
	/* Standard input need not be a terminal, and may be that of another session. */
	if (ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0)
		errno = 0;
	fd_close(start->ready[1]);
}

static void attr_noreturn run(const struct command *command, const struct start *start)
{
	const struct command_failure *failure = command->failure;
	const char *name = command->argv[0];
	int os;

	if (command->own_session)
		lead_session(start);
	else
		lead_group(command, start);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* Our parent may have died before we asked for that signal. */
	if (getppid() != start->parent)
		raise(SIGTERM);
	setitimer(ITIMER_REAL, &start->alarm, NULL);
	take_over_sockets(start->parent);
	signals_restore(&command->signals);
	os = command_execute(command->argv);
	command_report(failure, name, os);
	_exit(os == ENOENT ? failure->not_found : failure->not_executable);
}

/* Signals are sent to the child's group: it has to be there before the first one is. */
static void await_group(pid_t pid, struct start *start)
{
	char nothing;

	if (start->ready[0] < 0) {
		/* The child does the same; whoever is second fails. */
		setpgid(pid, pid);
		return;
	}
	fd_close(start->ready[1]);
	while (read(start->ready[0], &nothing, 1) < 0 && errno == EINTR)
		;
	fd_close(start->ready[0]);
}

pid_t command_start(const struct command *command, struct err *err)
{
	struct start start = {
		.parent = getpid(),
		.foreground = terminal_is_foreground(&command->terminal),
		.ready = { -1, -1 },
	};
	const struct itimerval none = { 0 };
	pid_t pid;

	if (command->own_session && pipe2(start.ready, O_CLOEXEC) < 0)
		return err_set_errno(err, errno, "cannot start '%s'", command->argv[0]);
	/* An alarm survives execve(2) but not fork(2): `alarm 60; exec berth-init ...` means the
	 * command. */
	setitimer(ITIMER_REAL, &none, &start.alarm);
	pid = fork();
	if (pid == 0)
		run(command, &start);
	if (pid < 0)
		return err_set_errno(err, errno, "cannot start '%s'", command->argv[0]);
	await_group(pid, &start);
	return pid;
}

int command_exit_status(const siginfo_t *ended)
{
	return ended->si_code == CLD_EXITED ? ended->si_status : 128 + ended->si_status;
}
