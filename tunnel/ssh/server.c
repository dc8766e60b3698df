/* SPDX-License-Identifier: MIT */
/* The engine's frame: versions, the loop over packets, output, the end. See server.h. */
#include "engine.h"

#include <assert.h>

#include "init/base/alloc.h"

/*
 * Clients look for "OpenSSH_" before they use OpenSSH's extensions (eow@openssh.com, Unix sockets).
 */
#define VERSION_LINE "SSH-2.0-OpenSSH_10.0-berth"
#define VERSION_MAX 255 /* with CR LF (RFC 4253 section 4.2) */
#define DISCONNECT_TEXT_MAX 1024

/* RFC 4253 section 11.1. */
enum disconnect_reason {
	DISCONNECT_PROTOCOL_ERROR = 2,
	DISCONNECT_KEY_EXCHANGE_FAILED = 3,
	DISCONNECT_BY_APPLICATION = 11,
};

struct ssh_server *ssh_server_new(const struct ssh_server_config *config)
{
	struct ssh_server *s = new_zero(struct ssh_server);
	struct err err;
	bool ok;

	s->config = *config;
	s->state = STATE_VERSION;
	s->line = BUF_INIT(VERSION_MAX);
	s->out = BUF_INIT(OUTPUT_MAX);
	s->message = BUF_INIT(PACKET_PAYLOAD_MAX);
	s->held = BUF_INIT(HELD_MAX);
	s->gathered = BUF_INIT(CHANNEL_DATA_MAX);
	TAILQ_INIT(&s->waiting);
	TAILQ_INIT(&s->listeners);
	packet_reader_init(&s->reader);
	kex_init(&s->kex);
	ok = buf_printf(&s->kex.server_version, "%s", VERSION_LINE) &&
	     buf_printf(&s->out, "%s\r\n", VERSION_LINE);
	assert(ok);
	/* Without waiting for the client's version: it saves a turn. */
	if (kex_announce(s, &err) < 0)
		server_end(s, &err);
	return s;
}

struct ssh_server *ssh_server_free(struct ssh_server *s)
{
	if (!s)
		return NULL;
	s->state = STATE_OVER;
	channels_finish(s);
	listeners_finish(s);
	packet_reader_finish(&s->reader);
	packet_writer_finish(&s->writer);
	kex_finish(&s->kex);
	buf_finish(&s->line);
	buf_finish(&s->out);
	buf_finish(&s->message);
	buf_finish(&s->held);
	buf_finish(&s->gathered);
	free(s);
	return NULL;
}

static int put_packet(struct ssh_server *s, struct span head, struct span body, struct err *err)
{
	bool was_empty = buf_len(&s->out) == 0 && buf_len(&s->gathered) == 0;

	if (packet_write(&s->writer, &s->out, head, body, err) < 0)
		return -1;
	if (was_empty)
		s->config.ops->wants_write(s->config.owner);
	return 0;
}

static int hold(struct ssh_server *s, struct span head, struct span body, struct err *err)
{
	if (buf_room(&s->held) < 4 + head.len + body.len)
		return err_set(err, ERR_LIMIT, "too many messages during a key exchange");
	wire_put_u32(&s->held, (uint32_t)(head.len + body.len));
	if (!buf_append_span(&s->held, head) || !buf_append_span(&s->held, body))
		return err_set(err, ERR_INTERNAL, "no room for a message");
	return 0;
}

void message_send_data(struct ssh_server *s, struct span head, struct span body)
{
	struct err err;
	int r;

	if (s->state == STATE_OVER)
		return;
	if (kex_holds(s, head.ptr[0]))
		r = hold(s, head, body, &err);
	else
		r = put_packet(s, head, body, &err);
	if (r < 0)
		server_end(s, &err);
}

void message_send_parts(struct ssh_server *s, struct span head, struct span body)
{
	gathered_flush(s);
	message_send_data(s, head, body);
}

struct buf *message_begin(struct ssh_server *s, enum message_number number)
{
	buf_clear(&s->message);
	wire_put_u8(&s->message, (uint8_t)number);
	return &s->message;
}

void message_send(struct ssh_server *s)
{
	message_send_parts(s, buf_span(&s->message), (struct span){ 0 });
}

void send_sign_of_life(struct ssh_server *s)
{
	wire_put_text(message_begin(s, MSG_IGNORE), "");
	message_send(s);
}

static enum disconnect_reason reason_of(const struct ssh_server *s, enum err_kind kind)
{
	if (kind == ERR_UNSUPPORTED && s->state <= STATE_KEX)
		return DISCONNECT_KEY_EXCHANGE_FAILED;
	return kind == ERR_PROTOCOL ? DISCONNECT_PROTOCOL_ERROR : DISCONNECT_BY_APPLICATION;
}

void server_end(struct ssh_server *s, const struct err *why)
{
	enum disconnect_reason reason = reason_of(s, why->kind);
	struct buf *b;

	if (s->state == STATE_OVER)
		return;
	s->state = STATE_OVER;
	s->ended = *why;
	b = message_begin(s, MSG_DISCONNECT);
	wire_put_u32(b, reason);
	wire_put_text(b, why->text);
	wire_put_text(b, "");
	/* It cannot be said more clearly than this; when there is no room for it, so be it. */
	(void)put_packet(s, buf_span(b), (struct span){ 0 }, NULL);
}

void ssh_server_disconnect(struct ssh_server *s, const char *text)
{
	struct err err;

	err_set(&err, ERR_UNAVAILABLE, "%s", text);
	server_end(s, &err);
}

const struct err *ssh_server_ended(const struct ssh_server *s)
{
	return s->state == STATE_OVER ? &s->ended : NULL;
}

int on_disconnect(struct ssh_server *s, struct span payload, struct err *err)
{
	struct wire r = wire_of(payload);
	uint32_t reason = wire_u32(&r);
	struct span text = wire_string(&r, DISCONNECT_TEXT_MAX);
	char printable[128] = "";

	for (size_t i = 0; i < MIN(text.len, sizeof(printable) - 1); i++)
		printable[i] = (char)(text.ptr[i] >= ' ' && text.ptr[i] < 127 ? text.ptr[i] : '?');
	err_set(err, reason == DISCONNECT_BY_APPLICATION ? ERR_NONE : ERR_UNAVAILABLE,
		"the client ended the connection: %s", printable);
	/* Nobody is left to be told. */
	s->ended = *err;
	s->state = STATE_OVER;
	return -1;
}

int on_ignored(struct ssh_server *s, struct span payload, struct err *err)
{
	(void)s;
	(void)payload;
	(void)err;
	return 0;
}

static int dispatch(struct ssh_server *s, struct span payload, struct err *err)
{
	uint8_t number = *span_cut(&payload, 1).ptr;
	message_handler *handler;

	if (kex_skips(s, number))
		return 0;
	switch (message_check(s->state, s->kex.strict, number, &handler)) {
	case MESSAGE_LEGAL:
		return handler(s, payload, err);
	case MESSAGE_UNKNOWN:
		wire_put_u32(message_begin(s, MSG_UNIMPLEMENTED), s->reader.seq - 1);
		message_send(s);
		return 0;
	case MESSAGE_ILLEGAL:
		break;
	}
	return err_set(err, ERR_PROTOCOL, "message %u (%s) is not allowed in state %s", number,
		       message_name(number), message_state_name(s->state));
}

/* The client's version line (RFC 4253 section 4.2); a client sends no other line before it. */
static int read_version(struct ssh_server *s, struct span *bytes, struct err *err)
{
	const uint8_t *newline = memchr(bytes->ptr, '\n', bytes->len);
	size_t len = newline ? (size_t)(newline - bytes->ptr) + 1 : bytes->len;
	struct span line;

	if (!buf_append_span(&s->line, span_cut(bytes, len)))
		return err_set(err, ERR_PROTOCOL, "the client's version line is too long");
	if (!newline)
		return 0;
	line = buf_span(&s->line);
	line.len--;
	if (line.len && line.ptr[line.len - 1] == '\r')
		line.len--;
	if (line.len < 8 || (memcmp(line.ptr, "SSH-2.0-", 8) != 0 &&
			     (line.len < 9 || memcmp(line.ptr, "SSH-1.99-", 9) != 0)))
		return err_set(err, ERR_PROTOCOL, "the client does not speak SSH 2");
	if (!buf_append_span(&s->kex.client_version, line))
		return err_set(err, ERR_INTERNAL, "no room for the client's version");
	s->state = STATE_KEXINIT;
	return 0;
}

/* 1: something was taken and there may be more; 0: more bytes are needed. */
static int step(struct ssh_server *s, struct span *bytes, struct err *err)
{
	struct span payload;
	int got;

	if (s->state == STATE_VERSION) {
		if (bytes->len == 0)
			return 0;
		return read_version(s, bytes, err) < 0 ? -1 : 1;
	}
	got = packet_read(&s->reader, bytes, &payload, err);
	if (got > 0 && dispatch(s, payload, err) < 0)
		return -1;
	return got;
}

int ssh_server_input(struct ssh_server *s, struct span bytes, struct err *err)
{
	struct err why;
	int r = 1;

	while (s->state != STATE_OVER && r > 0) {
		r = step(s, &bytes, &why);
		if (r < 0)
			server_end(s, &why);
	}
	kex_announce_when_due(s);
	if (s->state != STATE_OVER)
		return 0;
	if (err)
		*err = s->ended;
	return -1;
}

struct span ssh_server_output(struct ssh_server *s)
{
	gathered_flush(s);
	return buf_span(&s->out);
}

void ssh_server_output_taken(struct ssh_server *s, size_t len)
{
	buf_consume(&s->out, len);
	if (buf_len(&s->out) <= OUTPUT_SOFT_MAX / 2)
		channels_resume(s);
}

bool ssh_server_wants_input(const struct ssh_server *s)
{
	return s->state != STATE_OVER && buf_len(&s->out) < OUTPUT_INPUT_MAX;
}
