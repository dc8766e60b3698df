/* SPDX-License-Identifier: MIT */
/* How a stream comes and goes; see stream.h and stream_internal.h. */
#include "stream.h"

#include <string.h>

#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "tunnel/net/stream_internal.h"

/* A program that closed its output ends within this time, and is then asked why. */
#define CHILD_END (1 * NSEC_PER_SEC)

static void release(struct stream *s)
{
	if (--s->handles > 0)
		return;
	free(s->host);
	free(s->path);
	free(s->protocol);
	for (size_t i = 0; s->command && s->command[i]; i++)
		free(s->command[i]);
	free(s->command);
	free(s);
}

/* Sockets */

static void on_socket_closed(uv_handle_t *handle)
{
	struct stream_socket *socket = handle->data;
	struct stream *s = socket->stream;

	free(socket);
	release(s);
}

void stream_close_socket(struct stream *s)
{
	struct stream_socket *socket = s->socket;

	if (!socket)
		return;
	s->socket = NULL;
	uv_poll_stop(&socket->poll);
	/* Once the loop does not watch it any more it may be closed at once. */
	uv_close((uv_handle_t *)&socket->poll, on_socket_closed);
	fd_close(socket->fd);
}

int stream_open_socket(struct stream *s, int fd, struct err *err)
{
	struct stream_socket *socket = new_zero(struct stream_socket);

	if (uv_poll_init(s->loop, &socket->poll, fd) < 0) {
		fd_close(fd);
		free(socket);
		return err_set(err, ERR_SYSTEM, "cannot watch a socket");
	}
	socket->poll.data = socket;
	socket->fd = fd;
	socket->stream = s;
	s->socket = socket;
	s->handles++;
	stream_watch(s);
	return 0;
}

/* The end */

void stream_fail(struct stream *s, const struct err *why)
{
	if (s->stage == STREAM_OVER)
		return;
	s->stage = STREAM_OVER;
	s->why = *why;
	stream_dial_stop(s);
	buf_finish(&s->out);
	stream_watch(s);
	stream_start_timer(s, 0);
}

void stream_finish(struct stream *s, const struct err *why)
{
	if (s->stage == STREAM_OVER || s->stage == STREAM_ANSWERING)
		return;
	stream_put_goodbye(s);
	if (!stream_is_blocked(s)) {
		stream_fail(s, why);
		return;
	}
	s->stage = STREAM_ANSWERING;
	s->why = *why;
	stream_start_timer(s, s->timeout_ns);
}

void stream_ended(struct stream *s)
{
	struct err why;

	if (s->child && !s->child_ended) {
		/* Its last words tell more than that it ended. */
		s->at_end = true;
		uv_poll_stop(&s->socket->poll);
		s->socket->events = 0;
		stream_start_timer(s, CHILD_END);
		return;
	}
	if (s->child) {
		stream_child_error(s->child, &why);
		err_wrap(&why, "%s", stream_way(s));
	} else {
		err_set(&why, ERR_UNAVAILABLE, "%s: closed by the other end", stream_way(s));
	}
	stream_fail(s, &why);
}

static void on_timer(uv_timer_t *timer)
{
	struct stream *s = timer->data;
	struct err why;

	if (s->closing)
		return;
	if (s->stage == STREAM_OVER) {
		s->ops->over(s, s->owner, &s->why);
		return;
	}
	if (s->at_end)
		err_set(&why, ERR_UNAVAILABLE, "%s: closed by the other end", stream_way(s));
	else if (s->stage == STREAM_ANSWERING)
		err_set(&why, ERR_TIMEOUT, "%s: does not read", stream_way(s));
	else if (s->is_server)
		err_set(&why, ERR_TIMEOUT, "%s: no request within the time", stream_way(s));
	else
		stream_dial_timed_out(s, &why);
	stream_fail(s, &why);
}

void stream_start_timer(struct stream *s, uint64_t ns)
{
	uv_timer_start(&s->timer, on_timer, ns / NSEC_PER_MSEC, 0);
}

void stream_open(struct stream *s)
{
	s->stage = STREAM_OPEN;
	uv_timer_stop(&s->timer);
}

struct stream *stream_new(uv_loop_t *loop, const struct stream_ops *ops, void *owner)
{
	struct stream *s = new_zero(struct stream);

	s->loop = loop;
	s->ops = ops;
	s->owner = owner;
	s->queue_max = STREAM_QUEUE_MAX;
	s->timeout_ns = STREAM_TIMEOUT;
	buf_init(&s->head, HTTP1_HEAD_MAX);
	uv_timer_init(loop, &s->timer);
	s->timer.data = s;
	s->handles = 1;
	return s;
}

static void on_timer_closed(uv_handle_t *handle)
{
	release(handle->data);
}

void stream_close(struct stream *s)
{
	if (!s || s->closing)
		return;
	if (s->stage == STREAM_OPEN || s->tls)
		stream_put_goodbye(s);
	s->closing = true;
	s->stage = STREAM_OVER;
	stream_dial_stop(s);
	stream_close_socket(s);
	buf_finish(&s->head);
	buf_finish(&s->out);
	explicit_bzero(s->proxy.credentials, sizeof(s->proxy.credentials));
	uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}

void stream_set_owner(struct stream *s, const struct stream_ops *ops, void *owner)
{
	s->ops = ops;
	s->owner = owner;
}

const struct quic_addr *stream_remote(const struct stream *s)
{
	return &s->remote;
}

const char *stream_way(const struct stream *s)
{
	return s->way;
}

int stream_export(const struct stream *s, const char *label, struct secret *ret, struct err *err)
{
	if (!s->tls)
		return err_set(err, ERR_UNSUPPORTED, "%s: there is no TLS", stream_way(s));
	return tls_stream_export(s->tls, label, ret, err);
}
