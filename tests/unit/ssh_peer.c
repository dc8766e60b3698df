/* SPDX-License-Identifier: MIT */
/* An SSH client in memory; see ssh_peer.h. */
#include "tests/unit/ssh_peer.h"

#include <assert.h>
#include <stdarg.h>

#include "tests/unit/ssh_peer_kex.h"

#define PEER_BUF_MAX (64 * 1024 * 1024)

const struct peer_options PEER_DEFAULT = {
	.exchange = "curve25519-sha256",
	.cipher = "aes128-gcm@openssh.com",
	.strict = true,
};

static void on_open(void *owner, struct ssh_channel *channel, enum ssh_channel_type type,
		    const char *target)
{
	struct peer_seen *seen = owner;
	struct err why;

	seen->channels[seen->opened++ % PEER_CHANNELS_MAX] = channel;
	seen->type = type;
	snprintf(seen->target, sizeof(seen->target), "%s", target ? target : "");
	if (seen->on_open == ACCEPT)
		ssh_channel_accept(channel);
	if (seen->on_open == REFUSE) {
		err_set(&why, ERR_DENIED, "not here");
		ssh_channel_refuse(channel, &why);
	}
}

static void on_start(void *owner, struct ssh_channel *channel, const struct ssh_start *start)
{
	struct peer_seen *seen = owner;

	seen->starts++;
	seen->start = start;
	if (seen->on_start != START_WAITS)
		ssh_channel_started(channel, seen->on_start == START_OK);
}

static void on_data(void *owner, struct ssh_channel *channel, struct span bytes)
{
	struct peer_seen *seen = owner;

	seen->input_len += bytes.len;
	if (bytes.len <= buf_room(&seen->input)) {
		bool ok = buf_append_span(&seen->input, bytes);

		assert(ok);
	}
	if (!seen->keep_data)
		ssh_channel_consumed(channel, bytes.len);
}

static void on_eof(void *owner, struct ssh_channel *channel)
{
	(void)channel;
	((struct peer_seen *)owner)->eofs++;
}

static void on_window_change(void *owner, struct ssh_channel *channel, const struct ssh_pty *size)
{
	struct peer_seen *seen = owner;

	(void)channel;
	seen->size_changes++;
	seen->size = *size;
}

static void on_signal(void *owner, struct ssh_channel *channel, const char *name)
{
	struct peer_seen *seen = owner;

	(void)channel;
	seen->signals++;
	snprintf(seen->signal, sizeof(seen->signal), "%s", name);
}

static void on_output_unwanted(void *owner, struct ssh_channel *channel)
{
	(void)channel;
	((struct peer_seen *)owner)->unwanted++;
}

static void on_writable(void *owner, struct ssh_channel *channel)
{
	(void)channel;
	((struct peer_seen *)owner)->writables++;
}

static void on_closed(void *owner, struct ssh_channel *channel)
{
	struct peer_seen *seen = owner;

	seen->closed++;
	for (size_t i = 0; i < PEER_CHANNELS_MAX; i++)
		if (seen->channels[i] == channel)
			seen->channels[i] = NULL;
}

static void on_listen(void *owner, struct ssh_listener *listener, enum ssh_listener_type type,
		      const char *address, uint16_t port)
{
	struct peer_seen *seen = owner;

	seen->listener_type = type;
	snprintf(seen->target, sizeof(seen->target), "%s", address);
	seen->listener_port = port;
	seen->listeners[seen->listens++ % PEER_CHANNELS_MAX] =
		seen->on_listen == LISTENS_NOT ? NULL : listener;
	if (seen->on_listen != LISTENS_LATER)
		ssh_listener_started(listener, seen->on_listen == LISTENS, port ? port : PEER_PORT);
}

static void on_unlisten(void *owner, struct ssh_listener *listener)
{
	struct peer_seen *seen = owner;

	seen->unlistens++;
	for (size_t i = 0; i < PEER_CHANNELS_MAX; i++)
		if (seen->listeners[i] == listener)
			seen->listeners[i] = NULL;
}

static void on_opened(void *owner, struct ssh_channel *channel, bool ok)
{
	struct peer_seen *seen = owner;

	seen->openings += ok;
	seen->openings_refused += !ok;
	if (ok)
		return;
	for (size_t i = 0; i < PEER_CHANNELS_MAX; i++)
		if (seen->channels[i] == channel)
			seen->channels[i] = NULL;
}

static void on_wants_write(void *owner)
{
	((struct peer_seen *)owner)->writes++;
}

static const struct ssh_server_ops ops = {
	.open = on_open,
	.start = on_start,
	.data = on_data,
	.eof = on_eof,
	.window_change = on_window_change,
	.signal = on_signal,
	.output_unwanted = on_output_unwanted,
	.writable = on_writable,
	.closed = on_closed,
	.listen = on_listen,
	.unlisten = on_unlisten,
	.opened = on_opened,
	.wants_write = on_wants_write,
};

void peer_init(struct peer *p, const struct peer_options *options)
{
	struct ssh_server_config config = { .host_key = &p->host_key, .ops = &ops };
	struct secret seed = { { 1, 2, 3 } };
	int r;

	*p = (struct peer){ .options = *options };
	config.owner = &p->seen;
	config.rekey_bytes = options->rekey_bytes;
	p->in = p->out = BUF_INIT(PEER_BUF_MAX);
	p->client_init = p->server_init = p->public = BUF_INIT(PROPOSAL_MAX);
	p->seen.input = BUF_INIT(1024 * 1024);
	packet_reader_init(&p->reader);
	r = key_pair_from_seed(&seed, &p->host_key, NULL);
	assert(r == 0);
	p->server = ssh_server_new(&config);
}

void peer_finish(struct peer *p)
{
	ssh_server_free(p->server);
	packet_reader_finish(&p->reader);
	packet_writer_finish(&p->writer);
	buf_finish(&p->in);
	buf_finish(&p->out);
	buf_finish(&p->client_init);
	buf_finish(&p->server_init);
	buf_finish(&p->public);
	buf_finish(&p->seen.input);
	peer_kex_finish(p);
	key_pair_finish(&p->host_key);
}

static void append(struct buf *b, const char *format, va_list args)
{
	bool ok = true;

	for (; *format; format++) {
		switch (*format) {
		case 'b':
			wire_put_u8(b, (uint8_t)va_arg(args, int));
			break;
		case 'u':
			wire_put_u32(b, va_arg(args, uint32_t));
			break;
		case 't':
			wire_put_text(b, va_arg(args, const char *));
			break;
		case 's':
			wire_put_string(b, va_arg(args, struct span));
			break;
		case 'r':
			ok = buf_append_span(b, va_arg(args, struct span));
			break;
		default:
			ok = false;
		}
		assert(ok);
	}
}

static void queue(struct peer *p, uint8_t number, const char *format, va_list args)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(PACKET_LEN_MAX);
	int r;

	wire_put_u8(&b, number);
	append(&b, format, args);
	r = packet_write(&p->writer, &p->out, buf_span(&b), (struct span){ 0 }, NULL);
	assert(r == 0);
}

void peer_queue(struct peer *p, uint8_t number, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	queue(p, number, format, args);
	va_end(args);
}

void peer_put(struct peer *p, uint8_t number, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	queue(p, number, format, args);
	va_end(args);
	peer_flush(p);
}

void peer_flush(struct peer *p)
{
	struct err err = { 0 };

	if (ssh_server_input(p->server, buf_span(&p->out), &err) < 0) {
		p->over = true;
		p->err = err;
	}
	buf_clear(&p->out);
}

/* Takes over what the server has to say. */
static void pull(struct peer *p)
{
	struct span out = ssh_server_output(p->server);
	bool ok = buf_append_span(&p->in, out);

	assert(ok);
	ssh_server_output_taken(p->server, out.len);
}

static void read_version(struct peer *p)
{
	struct span in = buf_span(&p->in);
	const uint8_t *newline = memchr(in.ptr, '\n', in.len);

	assert(newline && in.len > 8 && memcmp(in.ptr, "SSH-2.0-OpenSSH_", 16) == 0);
	buf_consume(&p->in, (size_t)(newline - in.ptr) + 1);
	p->version_read = true;
}

bool peer_next(struct peer *p, uint8_t *ret_number, struct wire *ret)
{
	struct span bytes, payload;
	int got;

	pull(p);
	if (!p->version_read && buf_len(&p->in) > 0)
		read_version(p);
	bytes = buf_span(&p->in);
	got = packet_read(&p->reader, &bytes, &payload, &p->err);
	assert(got >= 0);
	buf_consume(&p->in, buf_len(&p->in) - bytes.len);
	if (got == 0)
		return false;
	*ret_number = *span_cut(&payload, 1).ptr;
	*ret = wire_of(payload);
	return true;
}

struct wire peer_expect(struct peer *p, uint8_t number)
{
	struct wire r = { 0 };
	uint8_t got = 0;
	bool any = peer_next(p, &got, &r);

	if (!any || got != number)
		fprintf(stderr, "expected %s, got %s (%u); %s\n", message_name(number),
			any ? message_name(got) : "nothing", got, p->err.text);
	assert(any && got == number);
	return r;
}

bool peer_ended(struct peer *p, const char *words)
{
	uint8_t number = 0;
	struct wire r;
	char text[1024] = "";

	if (!p->over)
		return false;
	while (number != MSG_DISCONNECT && peer_next(p, &number, &r))
		;
	if (number == MSG_DISCONNECT) {
		struct span s;

		wire_u32(&r);
		s = wire_string(&r, sizeof(text) - 1);
		memcpy(text, s.ptr, s.len);
	}
	if (strstr(text, words) && strstr(p->err.text, words))
		return true;
	fprintf(stderr, "expected an end with '%s': '%s' and '%s'\n", words, text, p->err.text);
	return false;
}

void peer_send_version(struct peer *p)
{
	bool ok = buf_printf(&p->out, "%s\r\n", PEER_VERSION);

	assert(ok);
	peer_flush(p);
}

void peer_handshake(struct peer *p)
{
	peer_send_version(p);
	peer_send_kexinit(p);
	peer_send_kex_init(p);
	peer_finish_exchange(p);
	peer_put(p, MSG_SERVICE_REQUEST, "t", "ssh-userauth");
	peer_expect(p, MSG_SERVICE_ACCEPT);
	peer_put(p, MSG_USERAUTH_REQUEST, "ttt", "user", "ssh-connection", "none");
	peer_expect(p, MSG_USERAUTH_SUCCESS);
}

void peer_rekey(struct peer *p)
{
	peer_send_kexinit(p);
	peer_send_kex_init(p);
	peer_finish_exchange(p);
}

void peer_skip_to(struct peer *p, enum ssh_state state)
{
	struct ssh_server *s = p->server;

	buf_clear(&s->out);
	s->state = state;
	s->kex.announced = state == STATE_KEXINIT || state == STATE_KEX;
	s->kex.has_session_id = state != STATE_VERSION && !s->kex.announced;
	s->kex.chosen.exchange = &exchanges[1];
	s->kex.chosen.in = s->kex.chosen.out = &cipher_kinds[0];
	s->kex.resume = STATE_OPEN;
	s->kex.strict = p->options.strict;
	s->authenticated = state == STATE_OPEN || state == STATE_REKEX || state == STATE_RENEWKEYS;
	p->version_read = true;
}

uint32_t peer_open_session(struct peer *p, uint32_t id)
{
	struct wire r;
	uint32_t server_id;

	peer_put(p, MSG_CHANNEL_OPEN, "tuuu", "session", id, 2u << 20, 32768u);
	r = peer_expect(p, MSG_CHANNEL_OPEN_CONFIRMATION);
	assert(wire_u32(&r) == id);
	server_id = wire_u32(&r);
	return server_id;
}
