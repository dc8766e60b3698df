/* SPDX-License-Identifier: MIT */
/* Processes for ssh_loopback.c; see ssh_spawn.h. */
#include "tests/e2e/ssh_spawn.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "init/base/fd.h"

#define PIPE_LEN (1024 * 1024)

struct stdio {
	int in[2], out[2], err[2]; /* [0] of the child, [1] ours */
};

void spawn_resize(int fd, const struct ssh_pty *pty)
{
	struct winsize size = { .ws_row = (unsigned short)pty->rows,
				.ws_col = (unsigned short)pty->columns };

	ioctl(fd, TIOCSWINSZ, &size);
}

static bool open_pty(const struct ssh_pty *pty, struct stdio *io)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	int slave;

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		return false;
	slave = fd_open(ptsname(master), O_RDWR | O_NOCTTY);
	spawn_resize(master, pty);
	io->in[0] = io->out[0] = io->err[0] = slave;
	io->in[1] = master;
	io->out[1] = fcntl(master, F_DUPFD_CLOEXEC, 0);
	io->err[1] = -1;
	return slave >= 0;
}

static bool open_pipes(struct stdio *io)
{
	int in[2], out[2], err[2];

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		return false;
	fcntl(in[1], F_SETPIPE_SZ, PIPE_LEN);
	fcntl(out[0], F_SETPIPE_SZ, PIPE_LEN);
	*io = (struct stdio){ { in[0], in[1] }, { out[1], out[0] }, { err[1], err[0] } };
	return true;
}

static attr_noreturn void run_child(const struct ssh_start *start, const struct stdio *io)
{
	const char *shell = "/bin/sh";

	setsid();
	dup2(io->in[0], 0);
	dup2(io->out[0], 1);
	dup2(io->err[0], 2);
	if (start->pty) {
		ioctl(0, TIOCSCTTY, 0);
		setenv("TERM", start->pty->term, 1);
	}
	for (size_t i = 0; i < start->env_len; i++)
		setenv(start->env[i].name, start->env[i].value, 1);
	if (start->kind == SSH_START_EXEC)
		execl(shell, "sh", "-c", start->command, NULL);
	else
		execl(shell, "-sh", NULL);
	_exit(127);
}

bool spawn(const struct ssh_start *start, struct spawned *ret)
{
	struct stdio io;

	if (start->kind == SSH_START_SUBSYSTEM ||
	    !(start->pty ? open_pty(start->pty, &io) : open_pipes(&io)))
		return false;
	ret->pid = fork();
	if (ret->pid == 0)
		run_child(start, &io);
	close(io.in[0]);
	if (!start->pty) {
		close(io.out[0]);
		close(io.err[0]);
	}
	ret->in = io.in[1];
	ret->out = io.out[1];
	ret->err = io.err[1];
	return fd_set_nonblock(ret->in, true, NULL) == 0;
}
