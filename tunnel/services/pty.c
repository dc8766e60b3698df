/* SPDX-License-Identifier: MIT */
/* Pseudo-terminals; see pty.h. */
#include "pty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "init/base/cleanup.h"
#include "init/base/fd.h"
#include "modes.h"

/* The other end; kernels before 4.13 know it only by name, which another mount may hide. */
static int open_slave(int master, const char *name)
{
	int fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 && (errno == ENOTTY || errno == EINVAL))
		fd = fd_open(name, O_RDWR | O_NOCTTY);
	return fd;
}

static int set_modes(int slave, struct span modes, struct err *err)
{
	struct termios termios;

	if (tcgetattr(slave, &termios) < 0)
		return err_set_errno(err, errno, "terminal");
	if (modes_apply(modes, &termios, err) < 0)
		return -1;
	if (tcsetattr(slave, TCSANOW, &termios) < 0)
		return err_set_errno(err, errno, "set the terminal's modes");
	return 0;
}

int pty_open(const struct process_window *window, struct span modes, struct pty *ret,
	     struct err *err)
{
	cleanup_close int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	cleanup_close int slave = -1;
	unsigned int number;
	int unlocked = 0;

	if (master < 0)
		return err_set_errno(err, errno, "no terminal in this job: open /dev/ptmx");
	if (ioctl(master, TIOCSPTLCK, &unlocked) < 0 || ioctl(master, TIOCGPTN, &number) < 0)
		return err_set_errno(err, errno, "unlock a terminal");
	snprintf(ret->name, sizeof(ret->name), "/dev/pts/%u", number);
	slave = open_slave(master, ret->name);
	if (slave < 0)
		return err_set_errno(err, errno, "no terminal in this job: open %s", ret->name);
	if (set_modes(slave, modes, err) < 0)
		return -1;
	pty_set_window(master, window);
	ret->master = take_fd(master);
	ret->slave = take_fd(slave);
	return 0;
}

/* The kernel has 16 bits for what SSH gives 32. */
static unsigned short clamp(uint32_t v)
{
	return (unsigned short)MIN(v, UINT16_MAX);
}

void pty_set_window(int master, const struct process_window *window)
{
	struct winsize size = {
		.ws_col = clamp(window->columns),
		.ws_row = clamp(window->rows),
		.ws_xpixel = clamp(window->width_px),
		.ws_ypixel = clamp(window->height_px),
	};

	/* It fails only on what is no terminal. */
	ioctl(master, TIOCSWINSZ, &size);
}

size_t pty_end_of_input(int master, uint8_t last_byte, uint8_t out[2])
{
	struct termios termios;
	bool line_begun = last_byte != 0 && last_byte != '\n' && last_byte != '\r';

	if (tcgetattr(master, &termios) < 0 || termios.c_cc[VEOF] == _POSIX_VDISABLE)
		return 0;
	out[0] = out[1] = termios.c_cc[VEOF];
	return termios.c_lflag & ICANON && line_begun ? 2 : 1;
}
