/* SPDX-License-Identifier: MIT */
/*
 * What we send on a channel: data as far as windows and output allow, its end, more window.
 *
 * Data comes from the network in pieces of a datagram, but goes to the client in messages of up to
 * 32 KiB: a client pays for each message, and ssh(1) copies all that it has not written yet for
 * each one. So the pieces of one channel are gathered until something else is said, until a message
 * is full, or until somebody looks at the output, which is once a turn; nothing waits for a timer.
 */
#include "engine.h"

#include <assert.h>

/* A channel that finds less room than this waits for writable(). */
#define ROOM_LOW CHANNEL_DATA_MAX
#define EXTENDED_DATA_STDERR 1 /* RFC 4254 section 5.2 */
#define DATA_HEAD_MAX 13
#define LARGE (8u * 1024) /* what is a message of its own, and is not copied to gather more */
#define SIGNAL_NAME_MAX 32

void *ssh_channel_user(struct ssh_channel *c)
{
	return c->user;
}

void ssh_channel_set_user(struct ssh_channel *c, void *user)
{
	c->user = user;
}

void channel_begin(struct ssh_channel *c, enum message_number number)
{
	wire_put_u32(message_begin(c->server, number), c->remote_id);
}

static bool is_writable(const struct ssh_channel *c)
{
	return c->accepted && !c->eof_sent && !c->close_sent && c->server->state != STATE_OVER;
}

static size_t room(const struct ssh_channel *c)
{
	size_t waiting = buf_len(&c->server->out) + buf_len(&c->server->gathered);

	if (!is_writable(c) || c->server->kex.announced || waiting >= OUTPUT_SOFT_MAX)
		return 0;
	return MIN(c->remote_window, OUTPUT_SOFT_MAX - waiting);
}

size_t ssh_channel_room(struct ssh_channel *c)
{
	size_t len = room(c);

	if (len < ROOM_LOW && !c->is_waiting && is_writable(c)) {
		c->is_waiting = true;
		TAILQ_INSERT_TAIL(&c->server->waiting, c, waiting);
		c->server->waiting_len++;
	}
	return len;
}

void channel_resume(struct ssh_channel *c)
{
	struct ssh_server *s = c->server;

	if (!c->is_waiting || room(c) == 0)
		return;
	c->is_waiting = false;
	TAILQ_REMOVE(&s->waiting, c, waiting);
	s->waiting_len--;
	s->config.ops->writable(s->config.owner, c);
}

void channels_resume(struct ssh_server *s)
{
	struct ssh_channel *c = TAILQ_FIRST(&s->waiting);

	/* Once around at most: who finds too little room again waits at the end. */
	for (size_t left = s->waiting_len; c && left > 0 && buf_len(&s->out) < OUTPUT_SOFT_MAX;
	     left--) {
		struct ssh_channel *next = TAILQ_NEXT(c, waiting);

		channel_resume(c);
		c = next;
	}
}

static void send_data(struct ssh_channel *c, enum ssh_output output, struct span bytes)
{
	uint8_t head[DATA_HEAD_MAX];
	size_t head_len = output == SSH_STDERR ? 13 : 9;

	head[0] = output == SSH_STDERR ? MSG_CHANNEL_EXTENDED_DATA : MSG_CHANNEL_DATA;
	wire_store_u32(head + 1, c->remote_id);
	wire_store_u32(head + 5, EXTENDED_DATA_STDERR);
	wire_store_u32(head + head_len - 4, (uint32_t)bytes.len);
	message_send_data(c->server, span_of(head, head_len), bytes);
}

void gathered_flush(struct ssh_server *s)
{
	if (buf_len(&s->gathered) > 0)
		send_data(s->gathering, s->gathered_output, buf_span(&s->gathered));
	buf_clear(&s->gathered);
	s->gathering = NULL;
}

/* Takes from *bytes what makes at most one message. */
static void gather(struct ssh_channel *c, enum ssh_output output, struct span *bytes)
{
	bool is_large = bytes->len >= MIN(LARGE, c->remote_packet_max);
	struct ssh_server *s = c->server;
	size_t len;

	if (is_large || s->gathering != c || s->gathered_output != output)
		gathered_flush(s);
	if (is_large) {
		send_data(c, output, span_cut(bytes, MIN(bytes->len, c->remote_packet_max)));
		return;
	}
	s->gathering = c;
	s->gathered_output = output;
	len = MIN(bytes->len, c->remote_packet_max - buf_len(&s->gathered));
	/* A message is no larger than the buffer: remote_packet_max is at most CHANNEL_DATA_MAX. */
	if (!buf_append_span(&s->gathered, span_cut(bytes, len)) ||
	    buf_len(&s->gathered) == c->remote_packet_max)
		gathered_flush(s);
}

void ssh_channel_write(struct ssh_channel *c, enum ssh_output output, struct span bytes)
{
	struct ssh_server *s = c->server;
	bool was_empty = buf_len(&s->out) == 0 && buf_len(&s->gathered) == 0;

	assert(bytes.len == 0 || !is_writable(c) || bytes.len <= c->remote_window);
	if (!is_writable(c))
		return;
	c->remote_window -= (uint32_t)bytes.len;
	while (bytes.len > 0)
		gather(c, output, &bytes);
	/* What went straight to the output has said so itself. */
	if (was_empty && buf_len(&s->out) == 0 && buf_len(&s->gathered) > 0)
		s->config.ops->wants_write(s->config.owner);
	kex_announce_when_due(s);
}

void ssh_channel_eof(struct ssh_channel *c)
{
	if (!is_writable(c))
		return;
	c->eof_sent = true;
	channel_begin(c, MSG_CHANNEL_EOF);
	message_send(c->server);
}

/* A request of ours that wants no reply (RFC 4254 section 6.10). */
static struct buf *begin_request(struct ssh_channel *c, const char *name)
{
	channel_begin(c, MSG_CHANNEL_REQUEST);
	wire_put_text(&c->server->message, name);
	wire_put_u8(&c->server->message, false);
	return &c->server->message;
}

static bool may_send(const struct ssh_channel *c)
{
	return c->accepted && !c->close_sent;
}

void ssh_channel_exit_status(struct ssh_channel *c, uint32_t status)
{
	if (!may_send(c))
		return;
	wire_put_u32(begin_request(c, "exit-status"), status);
	message_send(c->server);
}

void ssh_channel_exit_signal(struct ssh_channel *c, const char *name, bool core_dumped)
{
	struct buf *b;

	if (!may_send(c))
		return;
	b = begin_request(c, "exit-signal");
	wire_put_string(b, span_of(name, strnlen(name, SIGNAL_NAME_MAX)));
	wire_put_u8(b, core_dumped);
	wire_put_text(b, "");
	wire_put_text(b, "");
	message_send(c->server);
}

void ssh_channel_stop_input(struct ssh_channel *c)
{
	if (c->input_stopped)
		return;
	c->input_stopped = true;
	if (!may_send(c) || c->eof_received || !c->session)
		return;
	begin_request(c, "eow@openssh.com");
	message_send(c->server);
}

void ssh_channel_consumed(struct ssh_channel *c, size_t len)
{
	assert(len <= c->window - c->credit - c->consumed);
	c->consumed += (uint32_t)len;
	if (c->consumed < c->window / 4 || c->eof_received || !may_send(c))
		return;
	channel_begin(c, MSG_CHANNEL_WINDOW_ADJUST);
	wire_put_u32(&c->server->message, c->consumed);
	message_send(c->server);
	c->credit += c->consumed;
	c->consumed = 0;
}

void ssh_channel_close(struct ssh_channel *c)
{
	if (!may_send(c))
		return;
	c->close_sent = true;
	channel_begin(c, MSG_CHANNEL_CLOSE);
	message_send(c->server);
}
