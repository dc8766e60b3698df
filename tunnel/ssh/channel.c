/* SPDX-License-Identifier: MIT */
/* Channels (RFC 4254 section 5): their table, and what the client sends on them. */
#include "engine.h"

#include <assert.h>

#include "init/base/alloc.h"

#define TYPE_MAX_LEN 64
#define HOST_MAX_LEN 255
#define PATH_MAX_LEN 1024

/* A zero number of free ids means that the table has to grow. */
static void grow_table(struct ssh_server *s)
{
	uint32_t size = s->channels_size ? MIN(s->channels_size * 2, CHANNELS_MAX) : 16;

	s->channels = alloc_grow(s->channels, size, sizeof(*s->channels));
	s->free_ids = alloc_grow(s->free_ids, size, sizeof(*s->free_ids));
	for (uint32_t id = size; id-- > s->channels_size;) {
		s->channels[id] = NULL;
		s->free_ids[s->free_len++] = id;
	}
	s->channels_size = size;
}

struct ssh_channel *channel_new(struct ssh_server *s)
{
	struct ssh_channel *c;

	if (s->free_len == 0) {
		if (s->channels_size == CHANNELS_MAX)
			return NULL;
		grow_table(s);
	}
	c = new_zero(struct ssh_channel);
	c->server = s;
	c->id = s->free_ids[--s->free_len];
	c->window = s->windows + CHANNEL_WINDOW <= CHANNEL_WINDOW_BUDGET ? CHANNEL_WINDOW
									 : CHANNEL_WINDOW_SMALL;
	c->credit = c->window;
	s->windows += c->window;
	s->channels[c->id] = c;
	return c;
}

void channel_free(struct ssh_channel *c)
{
	struct ssh_server *s = c->server;

	if (s->gathering == c)
		gathered_flush(s);
	if (c->is_waiting) {
		TAILQ_REMOVE(&s->waiting, c, waiting);
		s->waiting_len--;
	}
	s->opening_len -= c->opening;
	s->windows -= c->window;
	s->channels[c->id] = NULL;
	s->free_ids[s->free_len++] = c->id;
	session_free(c->session);
	free(c);
}

static void finish(struct ssh_channel *c)
{
	c->server->config.ops->closed(c->server->config.owner, c);
	channel_free(c);
}

void channels_finish(struct ssh_server *s)
{
	for (uint32_t id = 0; id < s->channels_size; id++)
		if (s->channels[id])
			finish(s->channels[id]);
	free(s->channels);
	free(s->free_ids);
}

struct ssh_channel *channel_find(struct ssh_server *s, struct wire *r, const char *message,
				 struct err *err)
{
	uint32_t id = wire_u32(r);
	struct ssh_channel *c = !r->bad && id < s->channels_size ? s->channels[id] : NULL;

	/* Until it was accepted the client does not know its number. */
	if (c && c->accepted)
		return c;
	err_set(err, ERR_PROTOCOL, "%s for channel %u, which is not open", message, id);
	return NULL;
}

static void send_open_failure(struct ssh_server *s, uint32_t remote_id, uint32_t reason,
			      const char *text)
{
	struct buf *b = message_begin(s, MSG_CHANNEL_OPEN_FAILURE);

	wire_put_u32(b, remote_id);
	wire_put_u32(b, reason);
	wire_put_text(b, text);
	wire_put_text(b, "");
	message_send(s);
}

/* RFC 4254 section 5.1. A switch without default: a new kind has to be given a reason. */
static uint32_t open_failure_reason(enum err_kind kind)
{
	enum { PROHIBITED = 1, CONNECT_FAILED, UNKNOWN_TYPE, SHORTAGE };

	switch (kind) {
	case ERR_DENIED:
	case ERR_INVALID:
		return PROHIBITED;
	case ERR_UNSUPPORTED:
		return UNKNOWN_TYPE;
	case ERR_LIMIT:
		return SHORTAGE;
	case ERR_NONE:
	case ERR_NOT_FOUND:
	case ERR_EXISTS:
	case ERR_UNAVAILABLE:
	case ERR_TIMEOUT:
	case ERR_PROTOCOL:
	case ERR_SYSTEM:
	case ERR_INTERNAL:
		break;
	}
	return CONNECT_FAILED;
}

void ssh_channel_refuse(struct ssh_channel *c, const struct err *why)
{
	assert(!c->accepted);
	send_open_failure(c->server, c->remote_id, open_failure_reason(why->kind), why->text);
	channel_free(c);
}

void ssh_channel_accept(struct ssh_channel *c)
{
	struct buf *b = message_begin(c->server, MSG_CHANNEL_OPEN_CONFIRMATION);

	assert(!c->accepted);
	c->accepted = true;
	wire_put_u32(b, c->remote_id);
	wire_put_u32(b, c->id);
	wire_put_u32(b, c->window);
	wire_put_u32(b, CHANNEL_DATA_MAX);
	message_send(c->server);
}

/*
 * Each type reads what is its own in CHANNEL_OPEN; -1 is a malformed message. *ret_target is to be
 * freed; an error in *refusal refuses the channel.
 */
struct channel_kind {
	const char *name;
	enum ssh_channel_type type;
	int (*read)(struct ssh_server *s, struct wire *r, char **ret_target, struct err *refusal);
};

static int read_session(struct ssh_server *s, struct wire *r, char **ret_target,
			struct err *refusal)
{
	(void)ret_target;
	if (s->no_more_sessions)
		err_set(refusal, ERR_DENIED, "no more sessions, as you asked for");
	return wire_end(r) ? 0 : -1;
}

/* A name or an address; what else is in it would not be understood in the same way by all. */
static bool is_host(const char *host)
{
	for (const char *p = host; *p; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 127 || strchr("[]/@\\", *p))
			return false;
	return *host != '\0';
}

static int read_tcp(struct ssh_server *s, struct wire *r, char **ret_target, struct err *refusal)
{
	cleanup_free char *host = wire_text(r, HOST_MAX_LEN);
	uint32_t port = wire_u32(r);

	(void)s;
	wire_string(r, HOST_MAX_LEN); /* where the connection came from */
	wire_u32(r);
	if (!wire_end(r))
		return -1;
	if (!is_host(host))
		err_set(refusal, ERR_INVALID, "not a host name");
	else if (port == 0 || port > 65535)
		err_set(refusal, ERR_INVALID, "not a port: %u", port);
	*ret_target = str_printf(strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
	return 0;
}

static int read_unix(struct ssh_server *s, struct wire *r, char **ret_target, struct err *refusal)
{
	cleanup_free char *path = wire_text(r, PATH_MAX_LEN);

	(void)s;
	wire_string(r, PATH_MAX_LEN); /* reserved */
	wire_u32(r);
	if (!wire_end(r))
		return -1;
	if (*path == '\0')
		err_set(refusal, ERR_INVALID, "an empty path");
	*ret_target = take_ptr(path);
	return 0;
}

static const struct channel_kind kinds[] = {
	{ "session", SSH_CHANNEL_SESSION, read_session },
	{ "direct-tcpip", SSH_CHANNEL_TCP, read_tcp },
	{ "direct-streamlocal@openssh.com", SSH_CHANNEL_UNIX, read_unix },
};

static const struct channel_kind *find_kind(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (span_equal_str(name, kinds[i].name))
			return &kinds[i];
	return NULL;
}

/* The channel that CHANNEL_OPEN asks for, or NULL and why not. */
static struct ssh_channel *open_channel(struct ssh_server *s, const struct channel_kind *kind,
					uint32_t packet_max, struct err *refusal)
{
	struct ssh_channel *c;

	if (refusal->kind == ERR_NONE && packet_max < CHANNEL_PACKET_MIN)
		err_set(refusal, ERR_LIMIT, "maximum packet size below %u", CHANNEL_PACKET_MIN);
	if (refusal->kind != ERR_NONE)
		return NULL;
	c = channel_new(s);
	if (!c) {
		err_set(refusal, ERR_LIMIT, "more than %u channels", CHANNELS_MAX);
		return NULL;
	}
	c->type = kind->type;
	c->remote_packet_max = MIN(packet_max, CHANNEL_DATA_MAX);
	if (kind->type == SSH_CHANNEL_SESSION)
		c->session = new_zero(struct session);
	return c;
}

int on_channel_open(struct ssh_server *s, struct span payload, struct err *err)
{
	struct wire r = wire_of(payload);
	const struct channel_kind *kind = find_kind(wire_string(&r, TYPE_MAX_LEN));
	uint32_t remote_id = wire_u32(&r), window = wire_u32(&r), packet_max = wire_u32(&r);
	cleanup_free char *target = NULL;
	struct err refusal = { 0 };
	struct ssh_channel *c;

	if (r.bad)
		return malformed(err, "CHANNEL_OPEN");
	if (!kind)
		err_set(&refusal, ERR_UNSUPPORTED, "no such channel type");
	else if (kind->read(s, &r, &target, &refusal) < 0)
		return malformed(err, "CHANNEL_OPEN");
	c = open_channel(s, kind, packet_max, &refusal);
	if (!c) {
		send_open_failure(s, remote_id, open_failure_reason(refusal.kind), refusal.text);
		return 0;
	}
	c->remote_id = remote_id;
	c->remote_window = window;
	s->config.ops->open(s->config.owner, c, kind->type, target);
	return 0;
}

int on_channel_window_adjust(struct ssh_server *s, struct span payload, struct err *err)
{
	struct wire r = wire_of(payload);
	struct ssh_channel *c = channel_find(s, &r, "CHANNEL_WINDOW_ADJUST", err);
	uint32_t add = wire_u32(&r);

	if (!c)
		return -1;
	if (!wire_end(&r))
		return malformed(err, "CHANNEL_WINDOW_ADJUST");
	if (add > UINT32_MAX - c->remote_window)
		return err_set(err, ERR_PROTOCOL, "channel %u: window larger than 2^32 - 1", c->id);
	c->remote_window += add;
	channel_resume(c);
	return 0;
}

/* Accounts for data, and hands it on when there is somebody to take it. */
static int take_data(struct ssh_channel *c, struct span bytes, bool wanted, struct err *err)
{
	struct ssh_server *s = c->server;

	if (c->eof_received)
		return err_set(err, ERR_PROTOCOL, "channel %u: data after its end", c->id);
	if (bytes.len > CHANNEL_DATA_MAX)
		return err_set(err, ERR_PROTOCOL, "channel %u: %zu bytes in one message", c->id,
			       bytes.len);
	if (bytes.len > c->credit)
		return err_set(err, ERR_PROTOCOL, "channel %u: more data than its window", c->id);
	c->credit -= (uint32_t)bytes.len;
	/* A session takes data from the moment its command is known. */
	if (c->session && (!c->start_asked || c->start_failed))
		wanted = false;
	if (!wanted || c->input_stopped || c->close_sent)
		ssh_channel_consumed(c, bytes.len);
	else if (bytes.len)
		s->config.ops->data(s->config.owner, c, bytes);
	return 0;
}

int on_channel_data(struct ssh_server *s, struct span payload, struct err *err)
{
	struct wire r = wire_of(payload);
	struct ssh_channel *c = channel_find(s, &r, "CHANNEL_DATA", err);
	struct span bytes = wire_string(&r, PACKET_PAYLOAD_MAX);

	if (!c)
		return -1;
	if (!wire_end(&r))
		return malformed(err, "CHANNEL_DATA");
	return take_data(c, bytes, true, err);
}

/* No kind of extended data goes from a client to a server: it is counted and dropped. */
int on_channel_extended_data(struct ssh_server *s, struct span payload, struct err *err)
{
	struct wire r = wire_of(payload);
	struct ssh_channel *c = channel_find(s, &r, "CHANNEL_EXTENDED_DATA", err);
	struct span bytes;

	if (!c)
		return -1;
	wire_u32(&r);
	bytes = wire_string(&r, PACKET_PAYLOAD_MAX);
	if (!wire_end(&r))
		return malformed(err, "CHANNEL_EXTENDED_DATA");
	return take_data(c, bytes, false, err);
}

int on_channel_eof(struct ssh_server *s, struct span payload, struct err *err)
{
	struct wire r = wire_of(payload);
	struct ssh_channel *c = channel_find(s, &r, "CHANNEL_EOF", err);

	if (!c)
		return -1;
	if (!wire_end(&r))
		return malformed(err, "CHANNEL_EOF");
	if (c->eof_received)
		return err_set(err, ERR_PROTOCOL, "channel %u: a second end of data", c->id);
	c->eof_received = true;
	if (!c->close_sent)
		s->config.ops->eof(s->config.owner, c);
	return 0;
}

int on_channel_close(struct ssh_server *s, struct span payload, struct err *err)
{
	struct wire r = wire_of(payload);
	struct ssh_channel *c = channel_find(s, &r, "CHANNEL_CLOSE", err);

	if (!c)
		return -1;
	if (!wire_end(&r))
		return malformed(err, "CHANNEL_CLOSE");
	ssh_channel_close(c);
	finish(c);
	return 0;
}
