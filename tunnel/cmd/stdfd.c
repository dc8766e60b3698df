/* SPDX-License-Identifier: MIT */
/* One of our own standard descriptors on the loop; see stdfd.h. */
#include "stdfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/base/fd.h"

/* Larger pipes mean fewer turns for bulk data; the kernel may grant less. */
#define PIPE_SIZE (1024 * 1024)

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct stdfd *s = poll->data;

	/* An error, too: the next read or write knows more. */
	(void)status;
	(void)events;
	s->ops->ready(s);
}

static void on_idle(uv_idle_t *idle)
{
	struct stdfd *s = idle->data;

	s->ops->ready(s);
}

/* An open file of our own, or the given one. */
static int reopen(int given, int event, mode_t type)
{
	char path[32];
	int fd = -1;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", given);
	/* Not a file: it would begin anew. Not other devices: some can be opened only once. */
	if (S_ISFIFO(type) || (S_ISCHR(type) && isatty(given)))
		fd = open(path, (event == UV_READABLE ? O_RDONLY : O_WRONLY) | O_NONBLOCK |
					O_NOCTTY | O_CLOEXEC);
	return fd >= 0 ? fd : given;
}

int stdfd_open(struct stdfd *s, uv_loop_t *loop, int given, int event, const struct stdfd_ops *ops,
	       struct err *err)
{
	struct stat st;
	int status;

	*s = (struct stdfd){ .fd = -1, .given = given, .event = event };
	if (fstat(given, &st) < 0)
		return 0; /* nobody gave it */
	s->flags = fcntl(given, F_GETFL);
	s->fd = reopen(given, event, st.st_mode);
	status = uv_poll_init(loop, &s->handle.poll, s->fd);
	s->is_polled = status == 0;
	if (status == UV_EPERM)
		status = uv_idle_init(loop, &s->handle.idle);
	if (status < 0) {
		if (s->fd != given)
			fd_close(s->fd);
		s->fd = -1;
		return err_set_errno(err, -status, "watch descriptor %d", given);
	}
	s->handle.poll.data = s;
	s->ops = ops;
	if (S_ISFIFO(st.st_mode))
		(void)fcntl(s->fd, F_SETPIPE_SZ, PIPE_SIZE);
	return 0;
}

void stdfd_want(struct stdfd *s, bool want)
{
	if (want == s->wanted || !stdfd_is_open(s))
		return;
	s->wanted = want;
	if (!s->is_polled && want)
		uv_idle_start(&s->handle.idle, on_idle);
	else if (!s->is_polled)
		uv_idle_stop(&s->handle.idle);
	else if (want)
		uv_poll_start(&s->handle.poll, s->event, on_poll);
	else
		uv_poll_stop(&s->handle.poll);
}

void stdfd_close(struct stdfd *s)
{
	if (!stdfd_is_open(s))
		return;
	uv_close((uv_handle_t *)&s->handle, NULL);
	if (s->fd == s->given)
		(void)fcntl(s->given, F_SETFL, s->flags);
	else
		fd_close(s->fd);
	s->fd = -1;
}

static ssize_t result(struct stdfd *s, ssize_t len)
{
	if (len > 0)
		return len;
	if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return 0;
	stdfd_close(s);
	return -1;
}

ssize_t stdfd_read(struct stdfd *s, uint8_t *out, size_t len)
{
	return stdfd_is_open(s) ? result(s, read(s->fd, out, len)) : -1;
}

ssize_t stdfd_write(struct stdfd *s, struct span bytes)
{
	return stdfd_is_open(s) ? result(s, write(s->fd, bytes.ptr, bytes.len)) : -1;
}
