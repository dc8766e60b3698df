/* SPDX-License-Identifier: MIT */
/* Bytes and capsules between an SSH channel and its stream; see bridge_channel.h. */
#include "bridge_channel.h"

#include <string.h>

#include "init/base/alloc.h"
#include "tunnel/wire/process.h"
#include "tunnel/wire/reason.h"

/* What the key sends on a raw terminal. */
#define CTRL_C 3
/* What a job may still send into a forward whose client has left. */
#define DISCARD_MAX (16 * 1024 * 1024)

void flow_fail(struct bridge_channel *c, const struct err *why)
{
	if (c->failed)
		return;
	c->failed = true;
	c->why = *why;
	c->bridge->needs_tidying = true;
}

/* A client that has left */

bool flow_is_left_alone(const struct bridge_channel *c)
{
	return !c->ssh && c->stream && c->type != SSH_CHANNEL_SESSION && c->up_ended &&
	       !c->failed && !c->finished;
}

/* Nobody reads what the job says; it may say so much until it hears that the client has left. */
static void discard(struct bridge_channel *c, size_t len)
{
	h3_stream_consumed(c->stream, len);
	c->discarded += len;
	if (c->discarded <= DISCARD_MAX)
		return;
	c->finished = true;
	c->bridge->needs_tidying = true;
}

void flow_leave(struct bridge_channel *c)
{
	size_t len = buf_len(&c->down);

	buf_clear(&c->down);
	discard(c, len);
}

/* From the client to the job */

void flow_end_up(struct bridge_channel *c)
{
	if (!c->up_sent)
		h3_stream_end(c->stream);
	c->up_sent = true;
}

/* Writes what the stream takes; asking for room until there is none is what brings writable(). */
static size_t write_up(struct bridge_channel *c)
{
	size_t done = 0, room;

	while (buf_len(&c->up) > 0 && (room = h3_stream_room(c->stream)) > 0) {
		struct span part = buf_span(&c->up);

		part.len = MIN(part.len, room);
		if (!h3_stream_write(c->stream, part))
			break;
		buf_consume(&c->up, part.len);
		done += part.len;
	}
	return done;
}

void flow_up(struct bridge_channel *c)
{
	size_t credit;

	if (!c->stream || c->finished || buf_len(&c->up) == 0)
		return;
	credit = MIN(write_up(c), c->up_credit);
	if (buf_len(&c->up) == 0)
		credit = c->up_credit;
	c->up_credit -= credit;
	if (credit > 0 && c->ssh)
		ssh_channel_consumed(c->ssh, credit);
	if (buf_len(&c->up) == 0 && c->up_ended && c->type != SSH_CHANNEL_SESSION)
		flow_end_up(c);
}

/* Whether the stream takes len bytes at once, in order. */
static bool is_direct(struct bridge_channel *c, size_t len)
{
	return c->stream && buf_len(&c->up) == 0 && h3_stream_room(c->stream) >= len;
}

static bool send_up(struct bridge_channel *c, struct span bytes)
{
	if (c->finished)
		return true; /* nobody wants it any more */
	return is_direct(c, bytes.len) ? h3_stream_write(c->stream, bytes)
				       : buf_append_span(&c->up, bytes);
}

static void send_capsule(struct bridge_channel *c, uint64_t type, struct span value)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(CAPSULE_HEAD_MAX + value.len);

	if (!capsule_append(&b, type, value) || !send_up(c, buf_span(&b)))
		flow_fail(c, &(struct err){ ERR_LIMIT, 0, "too much waits to be sent to the job" });
}

/* Ctrl-C as it is typed on a raw terminal, while nothing runs yet that it could be meant for. */
static bool is_impatient(const struct bridge_channel *c, struct span bytes)
{
	return c->typed && !c->accepted && bytes.len == 1 && bytes.ptr[0] == CTRL_C;
}

void flow_on_data(void *owner, struct ssh_channel *channel, struct span bytes)
{
	struct bridge_channel *c = ssh_channel_user(channel);
	uint8_t head[CAPSULE_HEAD_MAX];
	size_t head_len = 0;
	bool direct;

	(void)owner;
	if (is_impatient(c, bytes))
		flow_fail(c, &(struct err){ ERR_UNAVAILABLE, 0, "interrupted" });
	if (c->up_ended || c->failed || c->finished) {
		ssh_channel_consumed(channel, bytes.len); /* nobody wants it any more */
		return;
	}
	if (c->type == SSH_CHANNEL_SESSION)
		head_len = capsule_put_head(PROCESS_STDIN, bytes.len, head);
	direct = is_direct(c, head_len + bytes.len);
	if ((head_len > 0 && !send_up(c, span_of(head, head_len))) || !send_up(c, bytes)) {
		flow_fail(c, &(struct err){ ERR_LIMIT, 0, "too much waits to be sent to the job" });
		return;
	}
	if (direct) {
		ssh_channel_consumed(channel, bytes.len);
		return;
	}
	c->up_credit += bytes.len;
	flow_up(c);
}

void flow_on_eof(void *owner, struct ssh_channel *channel)
{
	struct bridge_channel *c = ssh_channel_user(channel);

	(void)owner;
	if (c->up_ended)
		return;
	if (c->type == SSH_CHANNEL_SESSION)
		send_capsule(c, PROCESS_STDIN_END, (struct span){ 0 });
	c->up_ended = true;
	if (c->type == SSH_CHANNEL_SESSION || !c->stream || c->finished)
		return;
	if (buf_len(&c->up) == 0)
		flow_end_up(c);
	if (c->down_ended && buf_len(&c->down) == 0)
		ssh_channel_close(channel);
}

void flow_on_window_change(void *owner, struct ssh_channel *channel, const struct ssh_pty *size)
{
	struct bridge_channel *c = ssh_channel_user(channel);
	struct process_window window = { size->columns, size->rows, size->width_px,
					 size->height_px };
	cleanup(buf_finish) struct buf b = BUF_INIT(128);

	(void)owner;
	if (!process_window_format(&window, &b) || !send_up(c, buf_span(&b)))
		flow_fail(c, &(struct err){ ERR_LIMIT, 0, "too much waits to be sent to the job" });
}

void flow_on_signal(void *owner, struct ssh_channel *channel, const char *name)
{
	(void)owner;
	send_capsule(ssh_channel_user(channel), PROCESS_SIGNAL, span_of_str(name));
}

void flow_on_output_unwanted(void *owner, struct ssh_channel *channel)
{
	(void)owner;
	send_capsule(ssh_channel_user(channel), PROCESS_STDOUT_STOP, (struct span){ 0 });
}

/* From the job to the client */

static bool is_stream_capsule(void *user, uint64_t type)
{
	(void)user;
	return type == PROCESS_STDOUT || type == PROCESS_STDERR;
}

static void on_piece(void *user, uint64_t type, struct span bytes)
{
	struct bridge_channel *c = user;

	ssh_channel_write(c->ssh, type == PROCESS_STDERR ? SSH_STDERR : SSH_STDOUT, bytes);
}

static int on_capsule(void *user, uint64_t type, struct span value, struct err *err)
{
	struct bridge_channel *c = user;
	struct process_exit end;

	if ((type != PROCESS_EXIT && type != PROCESS_EXIT_SIGNAL) || c->exited)
		return 0;
	if (process_exit_parse(type, value, &end, err) < 0)
		return -1;
	c->exited = true;
	if (end.signalled) {
		cleanup_free char *name = str_dup_len((const char *)end.signal.ptr, end.signal.len);

		ssh_channel_exit_signal(c->ssh, name, end.core_dumped);
	} else {
		ssh_channel_exit_status(c->ssh, end.status);
	}
	return 0;
}

const struct capsule_ops flow_capsule_ops = { is_stream_capsule, on_piece, on_capsule };

/* Hands on what the channel has room for; returns how much. -1: the job broke the protocol. */
static ssize_t deliver(struct bridge_channel *c, struct span bytes, struct err *err)
{
	size_t done = 0;

	while (done < bytes.len) {
		struct span part = { bytes.ptr + done, bytes.len - done };

		part.len = MIN(part.len, ssh_channel_room(c->ssh));
		if (part.len == 0)
			break;
		/* Output is never longer than the capsules that carry it, so that it fits. */
		if (c->type != SSH_CHANNEL_SESSION)
			ssh_channel_write(c->ssh, SSH_STDOUT, part);
		else if (capsule_reader_feed(&c->reader, part, err) < 0)
			return -1;
		done += part.len;
	}
	return (ssize_t)done;
}

/* Both directions are done, or the process has ended: the channel may go. */
static void end_down(struct bridge_channel *c)
{
	if (c->type == SSH_CHANNEL_SESSION && !c->exited)
		ssh_channel_exit_status(c->ssh, BRIDGE_EXIT_LOST);
	ssh_channel_eof(c->ssh);
	if (c->type == SSH_CHANNEL_SESSION || c->up_ended)
		ssh_channel_close(c->ssh);
}

void flow_down(struct bridge_channel *c)
{
	struct err err = { 0 };
	ssize_t len;

	if (!c->ssh || !c->accepted || c->failed)
		return;
	len = deliver(c, buf_span(&c->down), &err);
	if (len < 0) {
		flow_fail(c, &err);
		return;
	}
	if (len > 0) {
		buf_consume(&c->down, (size_t)len);
		if (c->stream)
			h3_stream_consumed(c->stream, (size_t)len);
	}
	if (buf_len(&c->down) == 0 && c->down_ended)
		end_down(c);
}

void flow_on_writable(void *owner, struct ssh_channel *channel)
{
	struct bridge_channel *c = ssh_channel_user(channel);

	(void)owner;
	if (buf_len(&c->down) > 0)
		flow_down(c);
}

void flow_on_body(struct h3_stream *stream, void *user, struct span bytes)
{
	struct bridge_channel *c = user;
	struct err err = { 0 };
	ssize_t len = 0;

	if (flow_is_left_alone(c)) {
		discard(c, bytes.len);
		return;
	}
	if (!c->ssh || c->failed || !c->accepted) {
		if (c->ssh && !c->accepted)
			reason_add(&c->reason, bytes);
		h3_stream_consumed(stream, bytes.len);
		return;
	}
	if (buf_len(&c->down) == 0)
		len = deliver(c, bytes, &err);
	if (len < 0) {
		flow_fail(c, &err);
		return;
	}
	(void)span_cut(&bytes, (size_t)len);
	if (len > 0)
		h3_stream_consumed(stream, (size_t)len);
	if (!buf_append_span(&c->down, bytes))
		flow_fail(c, &(struct err){ ERR_LIMIT, 0, "the job sends more than it may" });
}
