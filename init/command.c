/* SPDX-License-Identifier: MIT */
/* Starting the command; see command.h. */
#include "command.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <unistd.h>

#define PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin"
#define SHELL "/bin/sh"

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

void command_report(const char *name, int os)
{
	char line[512];

	snprintf(line, sizeof(line), "berth-init: cannot run '%.400s': %s\n", name, strerror(os));
	/* Nobody else can be told when standard error is gone. */
	if (write(STDERR_FILENO, line, strlen(line)) < 0)
		return;
}

/* What the child needs beyond the command itself, found out before the fork. */
struct start {
	pid_t parent;
	bool foreground;
	struct itimerval alarm;
};

static void attr_noreturn run(const struct command *command, const struct start *start)
{
	const char *name = command->argv[0];
	int os;

	setpgid(0, 0);
	if (start->foreground)
		terminal_give(&command->terminal, getpid());
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* Our parent may have died before we asked for that signal. */
	if (getppid() != start->parent)
		raise(SIGTERM);
	setitimer(ITIMER_REAL, &start->alarm, NULL);
	signals_restore(&command->signals);
	os = command_execute(command->argv);
	command_report(name, os);
	_exit(os == ENOENT ? COMMAND_NOT_FOUND : COMMAND_NOT_EXECUTABLE);
}

pid_t command_start(const struct command *command, struct err *err)
{
	struct start start = {
		.parent = getpid(),
		.foreground = terminal_is_foreground(&command->terminal),
	};
	const struct itimerval none = { 0 };
	pid_t pid;

	/* An alarm survives execve(2) but not fork(2): `alarm 60; exec berth-init ...` means the
	 * command. */
	setitimer(ITIMER_REAL, &none, &start.alarm);
	pid = fork();
	if (pid == 0)
		run(command, &start);
	if (pid < 0)
		return err_set_errno(err, errno, "cannot start '%s'", command->argv[0]);
	/* Here too, so that the group exists before anything is sent to it; whoever is second
	 * fails. */
	setpgid(pid, pid);
	return pid;
}

int command_exit_status(const siginfo_t *ended)
{
	return ended->si_code == CLD_EXITED ? ended->si_status : 128 + ended->si_status;
}
