/* SPDX-License-Identifier: MIT */
/* Standard input and output on a loop; see pipes.h. */
#include "pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Larger pipes mean fewer turns for bulk data; the kernel may grant less. */
#define PIPE_SIZE (1024 * 1024)

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct pipes *s = poll->data;
	ssize_t len = read(STDIN_FILENO, s->buffer, sizeof(s->buffer));

	(void)status;
	(void)events;
	if (len > 0) {
		s->ops->input(s->owner, span_of(s->buffer, (size_t)len));
	} else if (len == 0 || (errno != EAGAIN && errno != EINTR)) {
		pipes_want_input(s, false);
		s->ops->ended(s->owner);
	}
}

static void on_writable(uv_poll_t *poll, int status, int events)
{
	struct pipes *s = poll->data;

	(void)events;
	uv_poll_stop(poll);
	s->waiting = false;
	/* The reader is gone (POLLERR): a write says so in its own words. */
	(void)status;
	s->ops->writable(s->owner);
}

int pipes_open(struct pipes *s, uv_loop_t *loop, const struct pipes_ops *ops, void *owner,
	       struct err *err)
{
	s->owner = owner;
	s->in_flags = fcntl(STDIN_FILENO, F_GETFL);
	s->out_flags = fcntl(STDOUT_FILENO, F_GETFL);
	if (uv_poll_init(loop, &s->in, STDIN_FILENO) < 0)
		return err_set(
			err, ERR_INVALID,
			"standard input is not a pipe or a socket: this is for ssh's ProxyCommand");
	s->in.data = s;
	s->open = true;
	s->handles = 1;
	s->ops = ops;
	if (uv_poll_init(loop, &s->out, STDOUT_FILENO) < 0)
		return err_set(
			err, ERR_INVALID,
			"standard output is not a pipe or a socket: this is for ssh's ProxyCommand");
	s->out.data = s;
	s->handles = 2;
	(void)fcntl(STDIN_FILENO, F_SETPIPE_SZ, PIPE_SIZE);
	(void)fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIPE_SIZE);
	return 0;
}

void pipes_want_input(struct pipes *s, bool want)
{
	if (want == s->reading || !s->open)
		return;
	if (want)
		uv_poll_start(&s->in, UV_READABLE, on_readable);
	else
		uv_poll_stop(&s->in);
	s->reading = want;
}

size_t pipes_write(struct pipes *s, struct span bytes)
{
	size_t done = 0;

	while (done < bytes.len && !s->waiting && s->open) {
		ssize_t len = write(STDOUT_FILENO, bytes.ptr + done, bytes.len - done);

		if (len > 0) {
			done += (size_t)len;
		} else if (errno == EAGAIN) {
			s->waiting = true;
			uv_poll_start(&s->out, UV_WRITABLE, on_writable);
		} else if (errno != EINTR) {
			s->ops->ended(s->owner);
			break;
		}
	}
	return done;
}

static void on_closed(uv_handle_t *handle)
{
	struct pipes *s = handle->data;

	if (--s->handles > 0)
		return;
	(void)fcntl(STDIN_FILENO, F_SETFL, s->in_flags);
	(void)fcntl(STDOUT_FILENO, F_SETFL, s->out_flags);
	if (s->closed)
		s->closed(s->owner);
}

void pipes_close(struct pipes *s, void (*closed)(void *owner))
{
	s->closed = closed;
	if (!s->open) {
		if (closed)
			closed(s->owner);
		return;
	}
	s->open = false;
	if (s->handles == 2)
		uv_close((uv_handle_t *)&s->out, on_closed);
	uv_close((uv_handle_t *)&s->in, on_closed);
}
