/* SPDX-License-Identifier: MIT */
/* The user's terminal; see terminal.h. */
#include "terminal.h"

#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fd.h"

struct terminal {
	int fd, signals;
	struct termios before;
	sigset_t mask;
};

static int open_signals(struct terminal *terminal, struct err *err)
{
	sigset_t wanted;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGWINCH);
	sigaddset(&wanted, SIGHUP);
	sigaddset(&wanted, SIGTERM);
	sigprocmask(SIG_BLOCK, &wanted, &terminal->mask);
	terminal->signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	if (terminal->signals < 0) {
		err_set_errno(err, errno, "signalfd");
		sigprocmask(SIG_SETMASK, &terminal->mask, NULL);
		return -1;
	}
	return 0;
}

int terminal_open(int fd, struct terminal **ret, struct err *err)
{
	cleanup_free struct terminal *terminal = new_zero(struct terminal);
	struct termios raw;

	terminal->fd = fd;
	if (!isatty(fd) || tcgetattr(fd, &terminal->before) < 0)
		return 0;
	if (open_signals(terminal, err) < 0)
		return -1;
	raw = terminal->before;
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSADRAIN, &raw) < 0) {
		err_set_errno(err, errno, "cannot make the terminal raw");
		terminal_close(take_ptr(terminal));
		return -1;
	}
	*ret = take_ptr(terminal);
	return 0;
}

struct terminal *terminal_close(struct terminal *terminal)
{
	if (terminal) {
		tcsetattr(terminal->fd, TCSADRAIN, &terminal->before);
		fd_close(terminal->signals);
		sigprocmask(SIG_SETMASK, &terminal->mask, NULL);
		free(terminal);
	}
	return NULL;
}

int terminal_fd(const struct terminal *terminal)
{
	return terminal ? terminal->signals : -1;
}

enum terminal_event terminal_news(struct terminal *terminal)
{
	enum terminal_event event = TERMINAL_NOTHING;
	struct signalfd_siginfo info;

	while (event != TERMINAL_ENDED && read(terminal->signals, &info, sizeof(info)) > 0)
		event = info.ssi_signo == SIGWINCH ? TERMINAL_RESIZED : TERMINAL_ENDED;
	return event;
}

bool terminal_size(const struct terminal *terminal, unsigned int *ret_rows,
		   unsigned int *ret_columns)
{
	struct winsize size;

	if (!terminal || ioctl(terminal->fd, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 ||
	    size.ws_col == 0)
		return false;
	*ret_rows = size.ws_row;
	*ret_columns = size.ws_col;
	return true;
}
