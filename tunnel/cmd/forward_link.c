/* SPDX-License-Identifier: MIT */
/* Connections that came in here; see forward_link.h. */
#include "forward_link.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "init/base/alloc.h"
#include "init/base/buf.h"
#include "init/base/log.h"
#include "init/base/text.h"
#include "tunnel/services/port.h"
#include "tunnel/services/splice.h"
#include "tunnel/wire/reason.h"

#define STATUS_OK 200
#define READ_MAX (64 * 1024)
#define READS_PER_TURN 4
/* A backstop: the stream's credit is far smaller. */
#define PENDING_MAX (64 * 1024 * 1024)
/* Memory that one with nothing to write keeps. */
#define KEEP_MAX (64 * 1024)

struct forward_link {
	struct forward_link *next, **at;
	struct forward_links *links;
	const struct forward_end *remote;
	struct port port;
	struct h3_stream *stream;
	int status;
	bool read_over, write_over, ended, closing;
	struct buf pending, reason;
	size_t held; /* received and not reported as consumed */
};

static void free_if_over(struct forward_link *l)
{
	struct forward_links *links = l->links;

	if (!l->closing || l->stream)
		return;
	*l->at = l->next;
	if (l->next)
		l->next->at = l->at;
	links->len--;
	buf_finish(&l->pending);
	buf_finish(&l->reason);
	free(l);
	if (links->freed)
		links->freed(links);
}

static void on_port_closed(struct port *port)
{
	struct forward_link *l = port->owner;

	l->closing = true;
	free_if_over(l);
}

/* The other side sees a reset, as it would without us. */
static void abort_link(struct forward_link *l)
{
	struct linger now = { .l_onoff = 1 };

	if (port_is_open(&l->port))
		setsockopt(l->port.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	port_close(&l->port);
	if (l->stream)
		h3_stream_reset(l->stream);
}

static void close_if_over(struct forward_link *l)
{
	if (l->read_over && l->write_over)
		port_close(&l->port);
}

/* To the job */

static void read_local(struct forward_link *l)
{
	size_t len;

	for (int i = 0; i < READS_PER_TURN && l->stream && !l->read_over; i++) {
		switch (splice_read(l->port.fd, l->stream, 0, READ_MAX, &len)) {
		case SPLICE_DONE:
			break;
		case SPLICE_NOT_NOW:
			port_want(&l->port, UV_READABLE, true);
			return;
		case SPLICE_NO_ROOM:
			port_want(&l->port, UV_READABLE, false);
			return;
		case SPLICE_END:
			l->read_over = true;
			port_want(&l->port, UV_READABLE, false);
			h3_stream_end(l->stream);
			close_if_over(l);
			return;
		case SPLICE_FAILED:
			abort_link(l);
			return;
		}
	}
	port_want(&l->port, UV_READABLE, !l->read_over);
}

/* From the job */

static void give_credit(struct forward_link *l)
{
	size_t len = l->held - MIN(l->held, buf_len(&l->pending));

	l->held -= len;
	if (l->stream && len > 0)
		h3_stream_consumed(l->stream, len);
}

static void write_local(struct forward_link *l)
{
	while (buf_len(&l->pending) > 0) {
		struct span bytes = buf_span(&l->pending);
		ssize_t len = write(l->port.fd, bytes.ptr, bytes.len);

		if (len > 0) {
			buf_consume(&l->pending, (size_t)len);
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			break;
		} else if (errno != EINTR) {
			abort_link(l);
			return;
		}
	}
	port_want(&l->port, UV_WRITABLE, buf_len(&l->pending) > 0);
	give_credit(l);
	if (buf_len(&l->pending) > 0)
		return;
	if (l->pending.size > KEEP_MAX)
		buf_finish(&l->pending);
	if (!l->ended || l->write_over)
		return;
	l->write_over = true;
	shutdown(l->port.fd, SHUT_WR);
	close_if_over(l);
}

static void on_ready(struct port *port, int events)
{
	struct forward_link *l = port->owner;

	if (events & UV_WRITABLE)
		write_local(l);
	if (events & UV_READABLE && port_is_open(port))
		read_local(l);
}

static const struct port_ops port_ops = { .ready = on_ready, .closed = on_port_closed };

static void on_response(struct h3_stream *stream, void *user, int status)
{
	(void)stream;
	((struct forward_link *)user)->status = status;
}

static void on_body(struct h3_stream *stream, void *user, struct span bytes)
{
	struct forward_link *l = user;

	if (l->status != STATUS_OK || !port_is_open(&l->port)) {
		reason_add(&l->reason, bytes);
		h3_stream_consumed(stream, bytes.len);
		return;
	}
	l->held += bytes.len;
	if (!buf_append_span(&l->pending, bytes)) {
		abort_link(l);
		return;
	}
	l->links->dirty = true;
}

/* With the job's words, before the client sees the end. */
static void refuse(struct forward_link *l)
{
	char remote[FORWARD_TEXT_MAX];

	forward_end_format(l->remote, remote);
	log_warn("%s: %s: %s", l->links->name, remote, reason_text(&l->reason, "refused"));
	abort_link(l);
}

static void on_end(struct h3_stream *stream, void *user)
{
	struct forward_link *l = user;

	(void)stream;
	l->ended = true;
	l->links->dirty = true;
	if (l->status != STATUS_OK)
		refuse(l);
}

static void on_writable(struct h3_stream *stream, void *user)
{
	struct forward_link *l = user;

	(void)stream;
	if (port_is_open(&l->port) && !l->read_over)
		read_local(l);
}

static void on_closed(struct h3_stream *stream, void *user, const struct err *why)
{
	struct forward_link *l = user;

	(void)stream;
	log_debug("%s: connection over: status %d, %s", l->links->name, l->status,
		  why ? why->text : "done");
	l->stream = NULL;
	if (!l->ended && l->status && l->status != STATUS_OK)
		refuse(l);
	else if (!l->ended)
		abort_link(l);
	else
		l->links->dirty = true;
	free_if_over(l);
}

static const struct h3_stream_ops stream_ops = {
	.response = on_response,
	.body = on_body,
	.end = on_end,
	.writable = on_writable,
	.closed = on_closed,
};

/* Asks the job for the other half. */
static void request(struct forward_link *l)
{
	cleanup(buf_finish) struct buf path = BUF_INIT(4 * FORWARD_PATH_MAX);
	struct h3_request r = { .method = "CONNECT" };
	char authority[FORWARD_TEXT_MAX];
	struct forward_end end = *l->remote;
	struct err err;

	if (end.path[0]) {
		r.protocol = "berth-unix";
		r.authority = "job";
		/* Every byte of the longest path may need three. */
		(void)!(buf_printf(&path, "/unix/") && text_append_percent(&path, end.path));
		r.path = buf_str(&path);
	} else {
		if (!end.host[0])
			memcpy(end.host, "localhost", sizeof("localhost"));
		forward_end_format(&end, authority);
		r.authority = authority;
	}
	if (h3_conn_request(l->links->conn, &r, &stream_ops, l, &l->stream, &err) < 0) {
		log_warn("%s: %s", l->links->name, err.text);
		abort_link(l);
		return;
	}
	/* What the client says first need not wait for the job's answer. */
	port_want(&l->port, UV_READABLE, true);
}

void forward_links_add(struct forward_links *links, int fd, const struct forward_end *remote)
{
	struct forward_link *l = new_zero(struct forward_link);
	struct err err;
	int on = 1;

	/* What was sent is sent at once. Fails on Unix sockets. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (port_open(&l->port, links->loop, fd, &port_ops, l, &err) < 0) {
		log_warn("%s: %s", links->name, err.text);
		free(l);
		return;
	}
	l->links = links;
	l->remote = remote;
	buf_init(&l->pending, PENDING_MAX);
	buf_init(&l->reason, ERR_TEXT_MAX / 2);
	l->next = links->first;
	l->at = &links->first;
	if (l->next)
		l->next->at = &l->next;
	links->first = l;
	links->len++;
	if (links->conn)
		request(l);
}

void forward_links_connect(struct forward_links *links, struct h3_conn *conn)
{
	links->conn = conn;
	for (struct forward_link *l = links->first; l; l = l->next) {
		if (!l->stream && !l->status && port_is_open(&l->port))
			request(l);
	}
}

void forward_links_disconnect(struct forward_links *links)
{
	links->conn = NULL;
}

void forward_links_turn(struct forward_links *links)
{
	if (!links->dirty)
		return;
	links->dirty = false;
	for (struct forward_link *l = links->first; l; l = l->next) {
		bool waits = buf_len(&l->pending) > 0 || (l->ended && !l->write_over);

		/* One that waits for its reader is told when that is there. */
		if (waits && port_is_open(&l->port) && !(l->port.wanted & UV_WRITABLE))
			write_local(l);
	}
}

void forward_links_close(struct forward_links *links)
{
	links->freed = NULL;
	for (struct forward_link *l = links->first; l; l = l->next)
		port_close(&l->port);
}
