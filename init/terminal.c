/* SPDX-License-Identifier: MIT */
/* Job control; see terminal.h. */
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "descriptors.h"
#include "init/base/fd.h"
#include "signals.h"

/* A description of our own (not a shared one) of the terminal that the path leads to. */
static int open_terminal(const char *path)
{
	cleanup_close int fd = fd_open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);

	return fd < 0 ? -1 : descriptors_copy(fd);
}

void terminal_find(struct terminal *ret)
{
	static const char *const standard[] = { "/proc/self/fd/0", "/proc/self/fd/1",
						"/proc/self/fd/2" };

	ret->fd = open_terminal("/dev/tty");
	/* This one says that there is none; others, that there is no such file. */
	if (ret->fd >= 0 || errno == ENXIO)
		return;
	for (int i = 0; i < (int)ARRAY_LEN(standard) && ret->fd < 0; i++) {
		/* It answers only for the controlling terminal. */
		if (tcgetpgrp(i) >= 0)
			ret->fd = open_terminal(standard[i]);
	}
}

void terminal_leave(struct terminal *ret)
{
	ret->fd = -1;
	/* There need not be one. */
	if (ioctl(STDIN_FILENO, TIOCNOTTY) < 0)
		return;
}

bool terminal_is_foreground(const struct terminal *t)
{
	pid_t group = t->fd < 0 ? -1 : tcgetpgrp(t->fd);
	char nothing[1];

	if (group != getpgrp())
		return false;
	/*
	 * Both are 0 when they are groups of another PID namespace, and need not be the same. A
	 * read from the background fails with EIO while SIGTTIN is blocked, also one of no bytes.
	 */
	return group != 0 || read(t->fd, nothing, 0) == 0 || errno != EIO;
}

void terminal_give(const struct terminal *t, pid_t group)
{
	/* From the background this raises SIGTTOU, which has no effect while it is blocked. */
	if (tcsetpgrp(t->fd, group) < 0)
		return;
}

void terminal_follow_stop(const struct terminal *t, pid_t group, int signo)
{
	bool by_terminal = signo == SIGTSTP || signo == SIGTTIN || signo == SIGTTOU;

	if (t->fd < 0)
		return;
	/* Somebody who stops a command in the background deals with the command alone. */
	if (!by_terminal && tcgetpgrp(t->fd) != group)
		return;
	/*
	 * The kernel decides, as it does for any group: it knows whether a shell can continue us.
	 */
	kill(0, SIGTSTP);
	signals_admit(SIGTSTP);
	/* Whoever has been stopped was continued by a SIGCONT, which is pending now. */
	if (signo == SIGTSTP && !signals_is_pending(SIGCONT))
		kill(-group, SIGCONT);
}

void terminal_take_back(const struct terminal *t)
{
	pid_t group = t->fd < 0 ? -1 : tcgetpgrp(t->fd);

	if (group > 0 && group != getpgrp() && kill(-group, 0) < 0 && errno == ESRCH)
		terminal_give(t, getpgrp());
}
