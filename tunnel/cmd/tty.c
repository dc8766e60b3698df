/* SPDX-License-Identifier: MIT */
/* The terminal that we were started on; see tty.h. */
#include "tty.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* There is one terminal, and signal handlers have to find it. */
static struct termios before;
static volatile sig_atomic_t raw_fd = -1;

void tty_restore(void)
{
	int fd = raw_fd;

	raw_fd = -1;
	/* Only what is safe in a signal handler (signal-safety(7)). */
	if (fd >= 0)
		tcsetattr(fd, TCSADRAIN, &before);
}

static void on_death(int number)
{
	tty_restore();
	signal(number, SIG_DFL);
	raise(number);
}

static void restore_at_the_end(void)
{
	static const int deaths[] = { SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV };
	static bool done;

	if (done)
		return;
	done = true;
	atexit(tty_restore);
	for (size_t i = 0; i < ARRAY_LEN(deaths); i++)
		signal(deaths[i], on_death);
}

int tty_make_raw(int fd, struct err *err)
{
	struct termios raw;

	if (raw_fd < 0 && tcgetattr(fd, &before) < 0)
		return err_set_errno(err, errno, "the terminal");
	restore_at_the_end();
	raw = before;
	cfmakeraw(&raw);
	raw_fd = fd;
	if (tcsetattr(fd, TCSADRAIN, &raw) < 0)
		return err_set_errno(err, errno, "the terminal");
	return 0;
}

bool tty_window(struct process_window *ret)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		struct winsize size;

		if (ioctl(fd, TIOCGWINSZ, &size) < 0)
			continue;
		*ret = (struct process_window){ size.ws_col, size.ws_row, size.ws_xpixel,
						size.ws_ypixel };
		return true;
	}
	return false;
}

size_t tty_escape_filter(struct tty_escape *e, struct span in, uint8_t *out, bool *ret_leave)
{
	size_t len = 0;

	*ret_leave = false;
	for (size_t i = 0; i < in.len; i++) {
		uint8_t key = in.ptr[i];

		if (e->after_tilde) {
			e->after_tilde = false;
			if (key == '.') {
				*ret_leave = true;
				return len;
			}
			/* "~~" is one: the other is the one that was held back. */
			out[len++] = '~';
			e->in_line = true;
			if (key == '~')
				continue;
		} else if (!e->in_line && key == '~') {
			e->after_tilde = true;
			continue;
		}
		out[len++] = key;
		e->in_line = key != '\r' && key != '\n';
	}
	return len;
}
