/* SPDX-License-Identifier: MIT */
/* The bytes of a stream, from the socket to the owner and back; see stream_internal.h. */
#include "tunnel/net/stream_internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* What one turn reads, so that others get their turn. */
#define TURN_READS_MAX 4
#define READ_MAX (128 * 1024)
#define PLAIN_MAX (64 * 1024)

/*
 * The loop has one thread, and nothing in these outlives a call: so all streams share them, and an
 * idle one costs little.
 */
static uint8_t incoming[READ_MAX], plain[PLAIN_MAX],
	gathered[STREAM_WRITE_MAX + WEBSOCKET_HEAD_MAX];
static struct buf wire = { .max = 2 * READ_MAX }; /* what TLS wants sent; empty between calls */

void stream_watch(struct stream *s)
{
	struct stream_socket *socket = s->socket;
	int events = 0;

	if (!socket)
		return;
	if (s->stage != STREAM_OVER)
		events |= UV_READABLE;
	if (buf_len(&s->out) > 0)
		events |= UV_WRITABLE;
	if (events == socket->events)
		return;
	socket->events = events;
	if (events == 0)
		uv_poll_stop(&socket->poll);
	else
		uv_poll_start(&socket->poll, events, stream_on_event);
}

bool stream_is_readable(const struct stream *s)
{
	return !s->closing && s->stage != STREAM_OVER && s->stage != STREAM_ANSWERING;
}

static void fail_errno(struct stream *s, int os)
{
	struct err why;

	/* A program that ended has words of its own for it. */
	if (s->child) {
		stream_ended(s);
		return;
	}
	err_set_errno(&why, os, "%s", stream_way(s));
	stream_fail(s, &why);
}

/* Sending */

/* Sends what it can of the parts; returns how much, or -1 for an error other than a full socket. */
static ssize_t send_parts(const struct stream *s, const struct iovec *parts, size_t count)
{
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = count };
	ssize_t sent;

	do {
		sent = sendmsg(s->socket->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 && errno == EAGAIN ? 0 : sent;
}

/* What is left of the parts after `sent` bytes waits. */
static bool keep_rest(struct stream *s, const struct iovec *parts, size_t count, size_t sent)
{
	for (size_t i = 0; i < count; i++) {
		size_t skip = MIN(sent, parts[i].iov_len);

		sent -= skip;
		if (!buf_append(&s->out, (const uint8_t *)parts[i].iov_base + skip,
				parts[i].iov_len - skip))
			return false;
	}
	return true;
}

/* To the socket, or behind what waits for it. */
static void put_on_wire(struct stream *s, const struct iovec *parts, size_t count)
{
	ssize_t sent = 0;

	if (!s->socket || s->stage == STREAM_OVER)
		return;
	if (buf_len(&s->out) == 0)
		sent = send_parts(s, parts, count);
	if (sent < 0) {
		fail_errno(s, errno);
		return;
	}
	if (!keep_rest(s, parts, count, (size_t)sent))
		fail_errno(s, ENOBUFS);
	stream_watch(s);
}

static void put_wire(struct stream *s)
{
	struct span bytes = buf_span(&wire);
	struct iovec part = { wire.mem + wire.head, bytes.len };

	if (bytes.len > 0)
		put_on_wire(s, &part, 1);
	buf_clear(&wire);
}

static size_t gather(const struct iovec *parts, size_t count, size_t at)
{
	for (size_t i = 0; i < count; i++) {
		assert(at + parts[i].iov_len <= sizeof(gathered));
		if (parts[i].iov_len)
			memcpy(gathered + at, parts[i].iov_base, parts[i].iov_len);
		at += parts[i].iov_len;
	}
	return at;
}

static void put_secured(struct stream *s, struct span bytes)
{
	struct err why;

	if (tls_stream_write(s->tls, bytes, &why) < 0)
		stream_fail(s, &why);
	put_wire(s);
}

void stream_put(struct stream *s, const struct iovec *parts, size_t count)
{
	if (!s->tls)
		put_on_wire(s, parts, count);
	else if (count == 1)
		put_secured(s, span_of(parts[0].iov_base, parts[0].iov_len));
	else
		put_secured(s, span_of(gathered, gather(parts, count, 0)));
}

void stream_put_text(struct stream *s, struct buf *text)
{
	struct span bytes = buf_span(text);
	struct iovec part = { text->mem + text->head, bytes.len };

	stream_put(s, &part, 1);
}

static struct websocket_key fresh_key(void)
{
	struct websocket_key key = { 0 };

	/* Without it a mask would only be less random than section 10.3 wants. */
	(void)uv_random(NULL, NULL, key.bytes, sizeof(key.bytes), 0, NULL);
	return key;
}

static void put_frame(struct stream *s, const struct iovec *parts, size_t count, size_t len)
{
	struct websocket_key key = fresh_key();
	size_t head = websocket_put_head(s->websocket.role, len, &key, gathered);
	struct iovec whole = { gathered, gather(parts, count, head) };

	if (s->websocket.role == WEBSOCKET_CLIENT)
		websocket_mask(&key, 0, gathered + head, len);
	stream_put(s, &whole, 1);
}

bool stream_write(struct stream *s, const struct iovec *parts, size_t count)
{
	size_t len = 0;

	for (size_t i = 0; i < count; i++)
		len += parts[i].iov_len;
	assert(len <= STREAM_WRITE_MAX && s->stage >= STREAM_OPEN);
	if (s->stage != STREAM_OPEN)
		return true; /* over() is on its way, and says so */
	if (buf_len(&s->out) + len > s->queue_max)
		return false;
	if (s->is_websocket)
		put_frame(s, parts, count, len);
	else
		stream_put(s, parts, count);
	return true;
}

bool stream_is_blocked(const struct stream *s)
{
	return buf_len(&s->out) > 0;
}

size_t stream_waiting(const struct stream *s)
{
	return buf_len(&s->out);
}

/* Sends what waited; the end of it is told. */
static void flush(struct stream *s)
{
	struct span bytes = buf_span(&s->out);
	struct iovec part = { s->out.mem + s->out.head, bytes.len };
	ssize_t sent;

	if (bytes.len == 0)
		return;
	sent = send_parts(s, &part, 1);
	if (sent < 0) {
		fail_errno(s, errno);
		return;
	}
	buf_consume(&s->out, (size_t)sent);
	if (buf_len(&s->out) > 0)
		return;
	buf_finish(&s->out); /* an idle stream keeps no memory */
	stream_watch(s);
	if (s->stage == STREAM_ANSWERING)
		stream_fail(s, &s->why);
	else if (s->stage == STREAM_OPEN)
		s->ops->writable(s, s->owner);
}

/* Receiving */

static void answer_websocket(struct stream *s)
{
	uint8_t bytes[WEBSOCKET_ANSWER_MAX];
	struct websocket_key key = fresh_key();
	struct iovec part = { bytes, 0 };

	/* A peer that pings and does not read gets no more of them. */
	if (buf_len(&s->out) > s->queue_max / 2)
		return;
	part.iov_len = websocket_answer(&s->websocket, &key, bytes);
	stream_put(s, &part, 1);
}

static void deliver(struct stream *s, uint8_t *bytes, size_t len)
{
	struct err why = { 0 };

	if (s->is_websocket) {
		if (websocket_unwrap(&s->websocket, bytes, &len, &why) < 0) {
			stream_fail(s, &why);
			return;
		}
		if (websocket_has_answer(&s->websocket))
			answer_websocket(s);
	}
	if (len > 0 && stream_is_readable(s))
		s->ops->received(s, s->owner, span_of(bytes, len));
	if (s->is_websocket && s->websocket.is_closed && stream_is_readable(s)) {
		err_set(&why, ERR_UNAVAILABLE, "%s: closed by the other end", stream_way(s));
		stream_fail(s, &why);
	}
}

/*
 * Collects a head. 1: it is complete, lies in s->head, and the last *ret_rest of the bytes come
 * after it. 0: not yet. -1: it is none.
 */
static int collect_head(struct stream *s, struct span bytes, struct http1_head *ret,
			size_t *ret_rest, struct err *err)
{
	size_t before = buf_len(&s->head), len;
	struct span part = span_of(bytes.ptr, MIN(bytes.len, s->head.max - before));
	int done;

	if (!buf_append_span(&s->head, part))
		return err_set(err, ERR_LIMIT, "an HTTP head is too long");
	done = s->is_server ? http1_parse_request(buf_span(&s->head), ret, &len, err)
			    : http1_parse_response(buf_span(&s->head), ret, &len, err);
	if (done == 1)
		*ret_rest = bytes.len - (len - before);
	return done;
}

/* The head of the other end is being read; *ret_rest bytes came after it. 1: go on with them. */
static int take_head(struct stream *s, struct span bytes, size_t *ret_rest, struct err *err)
{
	struct http1_head head;
	int done = collect_head(s, bytes, &head, ret_rest, err);

	if (done <= 0)
		return done < 0 ? err_wrap(err, "%s", stream_way(s)) : 0;
	if (!s->is_server)
		done = stream_dial_answered(s, &head, err);
	else
		stream_asked(s, &head);
	buf_finish(&s->head);
	return done;
}

static void took_plain(struct stream *s, uint8_t *bytes, size_t len)
{
	struct err why;
	size_t rest;
	int done;

	if (s->stage == STREAM_ASKING) {
		done = take_head(s, span_of(bytes, len), &rest, &why);
		if (done < 0)
			stream_fail(s, &why);
		if (done <= 0)
			return;
		bytes += len - rest;
		len = rest;
	}
	if (s->stage == STREAM_OPEN && stream_is_readable(s) && len > 0)
		deliver(s, bytes, len);
}

int stream_start_tls(struct stream *s, struct err *err)
{
	struct err why;

	s->stage = STREAM_SECURING;
	s->tls = tls_stream_new(s->context, s->host, &wire, err);
	if (!s->tls)
		return -1;
	if (s->is_server)
		return 0;
	/* Nothing was fed: this only makes the ClientHello. */
	if (tls_stream_read(s->tls, plain, sizeof(plain), &why) < 0) {
		*err = why;
		return -1;
	}
	put_wire(s);
	return 0;
}

void stream_put_goodbye(struct stream *s)
{
	uint8_t bytes[WEBSOCKET_ANSWER_MAX];
	struct websocket_key key = fresh_key();
	struct iovec part = { bytes, 0 };

	if (s->is_websocket && s->stage == STREAM_OPEN) {
		part.iov_len = websocket_put_close(s->websocket.role, &key, bytes);
		stream_put(s, &part, 1);
	}
	s->tls = tls_stream_free(s->tls);
	put_wire(s);
}

/* What the socket gave, while TLS is there. */
static void take_secured(struct stream *s, struct span bytes)
{
	struct tls_stream *tls = s->tls;
	struct err why = { 0 };
	ssize_t len;

	tls_stream_feed(tls, bytes);
	do {
		len = tls_stream_read(tls, plain, sizeof(plain), &why);
		put_wire(s);
		if (s->stage == STREAM_SECURING && tls_stream_is_ready(tls)) {
			s->stage = STREAM_ASKING;
			if (!s->is_server)
				stream_dial_secured(s);
		}
		if (len > 0)
			took_plain(s, plain, (size_t)len);
	} while (len > 0 && s->tls == tls && stream_is_readable(s));
	if (len < 0) {
		err_wrap(&why, "%s", stream_way(s));
		stream_fail(s, &why);
	}
}

static int take_proxied(struct stream *s, struct span *bytes, struct err *err)
{
	struct http1_head head;
	size_t rest;
	int done = collect_head(s, *bytes, &head, &rest, err);

	if (done < 0)
		return err_wrap(err, "the proxy %s:%u", s->proxy.host, s->proxy.port);
	if (done == 0)
		return 0;
	done = stream_dial_proxied(s, &head, err);
	buf_finish(&s->head);
	*bytes = span_of(bytes->ptr + bytes->len - rest, rest);
	return done;
}

static void took(struct stream *s, uint8_t *bytes, size_t len)
{
	struct span rest = span_of(bytes, len);
	struct err why;
	int done;

	if (s->stage == STREAM_PROXYING) {
		done = take_proxied(s, &rest, &why);
		if (done < 0)
			stream_fail(s, &why);
		if (done <= 0)
			return;
	}
	if (rest.len == 0)
		return;
	if (s->tls)
		take_secured(s, rest);
	else
		took_plain(s, bytes + (len - rest.len), rest.len);
}

static void receive(struct stream *s)
{
	const struct stream_socket *socket = s->socket;

	for (int i = 0; i < TURN_READS_MAX; i++) {
		ssize_t len = recv(socket->fd, incoming, sizeof(incoming), 0);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno == EAGAIN)
			break;
		if (len < 0)
			fail_errno(s, errno);
		else if (len == 0)
			stream_ended(s);
		else
			took(s, incoming, (size_t)len);
		if (s->socket != socket || !stream_is_readable(s) || len <= 0)
			return;
		if ((size_t)len < sizeof(incoming))
			break;
	}
	if (s->stage == STREAM_OPEN && s->ops->turn)
		s->ops->turn(s, s->owner);
}

void stream_on_event(uv_poll_t *poll, int status, int events)
{
	struct stream_socket *socket = poll->data;
	struct stream *s = socket->stream;

	/* An error of the socket stops the poll, and is found by reading. */
	if (status < 0)
		events = UV_READABLE;
	if ((events & UV_WRITABLE) && s && s->socket == socket)
		flush(s);
	if ((events & UV_READABLE) && s && s->socket == socket && !s->closing &&
	    s->stage != STREAM_OVER)
		receive(s);
}
