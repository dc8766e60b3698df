/* SPDX-License-Identifier: MIT */
/*
 * Where the job listens for the client (RFC 4254 section 7.1, OpenSSH's PROTOCOL section 2.4, and
 * agent forwarding), and the channels that we open for what connects there (section 7.2).
 *
 * A listener that was asked for is WAITING until the owner says that the job listens; the answer
 * follows then, in its place among the others. Either way it ends once: when the client cancels it,
 * or with the connection.
 */
#include "engine.h"

#include "init/base/alloc.h"

#define ADDRESS_MAX_LEN 255
#define PATH_MAX_LEN 1024

static struct ssh_listener *listener_new(struct ssh_server *s, enum ssh_listener_type type,
					 const char *address, uint16_t port)
{
	struct ssh_listener *l = new_zero(struct ssh_listener);

	l->server = s;
	l->type = type;
	l->address = str_dup(address);
	l->port = port;
	TAILQ_INSERT_TAIL(&s->listeners, l, entry);
	s->listeners_len++;
	return l;
}

static void listener_free(struct ssh_listener *l)
{
	struct ssh_server *s = l->server;

	TAILQ_REMOVE(&s->listeners, l, entry);
	s->listeners_len--;
	if (s->agent == l)
		s->agent = NULL;
	free(l->address);
	free(l);
}

static void end(struct ssh_listener *l)
{
	l->server->config.ops->unlisten(l->server->config.owner, l);
	listener_free(l);
}

void listeners_finish(struct ssh_server *s)
{
	while (!TAILQ_EMPTY(&s->listeners))
		end(TAILQ_FIRST(&s->listeners));
}

void *ssh_listener_user(struct ssh_listener *l)
{
	return l->user;
}

void ssh_listener_set_user(struct ssh_listener *l, void *user)
{
	l->user = user;
}

static void reply(struct ssh_listener *l, const struct global_reply *reply)
{
	if (l->wants_reply)
		global_reply_settle(l->server, l->reply, reply);
	l->wants_reply = false;
}

void ssh_listener_started(struct ssh_listener *l, bool ok, uint16_t port)
{
	struct global_reply answer = { .answer = ok ? ANSWER_YES : ANSWER_NO, .count = 1 };

	if (l->started)
		return;
	l->started = true;
	/* The port is told to who did not name one (RFC 4254 section 7.1). */
	if (ok && l->type == SSH_LISTENER_TCP && l->port == 0) {
		answer.has_port = true;
		answer.port = port;
		l->port = port;
	}
	reply(l, &answer);
	if (!ok)
		listener_free(l);
}

/* Asks the owner, and makes a place for the answer. */
static enum answer begin(struct ssh_listener *l, bool wants_reply)
{
	struct ssh_server *s = l->server;

	l->wants_reply = wants_reply;
	if (wants_reply && !global_reply_later(s, &l->reply)) {
		listener_free(l);
		return ANSWER_NO; /* and there is no place for that either */
	}
	s->config.ops->listen(s->config.owner, l, l->type, l->address, l->port);
	return ANSWER_LATER;
}

static bool may_listen(const struct ssh_server *s)
{
	return s->config.ops->listen && s->listeners_len < LISTENERS_MAX;
}

/* What forward and cancel have in common: a malformed request, or one that names no address. */
static enum answer read_tcp(struct wire *r, char **ret_address, uint16_t *ret_port)
{
	cleanup_free char *address = wire_text(r, ADDRESS_MAX_LEN);
	uint32_t port = wire_u32(r);

	if (!wire_end(r))
		return ANSWER_MALFORMED;
	if (port > UINT16_MAX)
		return ANSWER_NO;
	*ret_address = take_ptr(address);
	*ret_port = (uint16_t)port;
	return ANSWER_YES;
}

static enum answer read_path(struct wire *r, char **ret_path)
{
	cleanup_free char *path = wire_text(r, PATH_MAX_LEN);

	if (!wire_end(r))
		return ANSWER_MALFORMED;
	if (*path == '\0')
		return ANSWER_NO;
	*ret_path = take_ptr(path);
	return ANSWER_YES;
}

enum answer run_tcpip_forward(struct ssh_server *s, struct global_request_in *in)
{
	cleanup_free char *address = NULL;
	uint16_t port = 0;
	enum answer answer = read_tcp(in->r, &address, &port);
	struct ssh_listener *l;

	if (answer != ANSWER_YES || !may_listen(s))
		return answer == ANSWER_YES ? ANSWER_NO : answer;
	l = listener_new(s, SSH_LISTENER_TCP, address, port);
	l->channel_type = "forwarded-tcpip";
	return begin(l, in->wants_reply);
}

enum answer run_streamlocal_forward(struct ssh_server *s, struct global_request_in *in)
{
	cleanup_free char *path = NULL;
	enum answer answer = read_path(in->r, &path);
	struct ssh_listener *l;

	if (answer != ANSWER_YES || !may_listen(s))
		return answer == ANSWER_YES ? ANSWER_NO : answer;
	l = listener_new(s, SSH_LISTENER_UNIX, path, 0);
	l->channel_type = "forwarded-streamlocal@openssh.com";
	return begin(l, in->wants_reply);
}

bool listener_want_agent(struct ssh_server *s, const char *channel_type)
{
	if (s->agent)
		return true;
	if (!may_listen(s))
		return false;
	s->agent = listener_new(s, SSH_LISTENER_AGENT, "", 0);
	s->agent->channel_type = channel_type;
	(void)begin(s->agent, false);
	return true;
}

static enum answer cancel(struct ssh_server *s, enum ssh_listener_type type, const char *address,
			  uint16_t port)
{
	struct ssh_listener *l;

	TAILQ_FOREACH(l, &s->listeners, entry)
	{
		if (l->type != type || l->port != port || strcmp(l->address, address) != 0)
			continue;
		/* The client did not wait for it; it never was. */
		reply(l, &(struct global_reply){ .answer = ANSWER_NO, .count = 1 });
		end(l);
		return ANSWER_YES;
	}
	return ANSWER_NO;
}

enum answer run_cancel_tcpip_forward(struct ssh_server *s, struct global_request_in *in)
{
	cleanup_free char *address = NULL;
	uint16_t port = 0;
	enum answer answer = read_tcp(in->r, &address, &port);

	return answer == ANSWER_YES ? cancel(s, SSH_LISTENER_TCP, address, port) : answer;
}

enum answer run_cancel_streamlocal_forward(struct ssh_server *s, struct global_request_in *in)
{
	cleanup_free char *path = NULL;
	enum answer answer = read_path(in->r, &path);

	return answer == ANSWER_YES ? cancel(s, SSH_LISTENER_UNIX, path, 0) : answer;
}

/* Channels that we open */

struct ssh_channel *ssh_listener_open(struct ssh_listener *l, const char *originator, uint16_t port)
{
	struct ssh_server *s = l->server;
	struct ssh_channel *c = s->opening_len < CHANNELS_OPENING_MAX && s->state != STATE_OVER
					? channel_new(s)
					: NULL;
	struct buf *b;

	if (!c)
		return NULL;
	c->type = SSH_CHANNEL_FORWARDED;
	c->opening = true;
	s->opening_len++;
	b = message_begin(s, MSG_CHANNEL_OPEN);
	wire_put_text(b, l->channel_type);
	wire_put_u32(b, c->id);
	wire_put_u32(b, c->window);
	wire_put_u32(b, CHANNEL_DATA_MAX);
	if (l->type == SSH_LISTENER_TCP) {
		/* The address as the client wrote it: by that it finds out where to connect. */
		wire_put_text(b, l->address);
		wire_put_u32(b, l->port);
		wire_put_text(b, originator);
		wire_put_u32(b, port);
	} else if (l->type == SSH_LISTENER_UNIX) {
		wire_put_text(b, l->address);
		wire_put_text(b, ""); /* reserved */
	}
	message_send(s);
	return c;
}

/* The channel that the client answers for. */
static struct ssh_channel *find_opening(struct ssh_server *s, struct wire *r, const char *message,
					struct err *err)
{
	uint32_t id = wire_u32(r);
	struct ssh_channel *c = !r->bad && id < s->channels_size ? s->channels[id] : NULL;

	if (c && c->opening)
		return c;
	err_set(err, ERR_PROTOCOL, "%s for channel %u, which is not being opened", message, id);
	return NULL;
}

int on_channel_open_confirmation(struct ssh_server *s, struct span payload, struct err *err)
{
	struct wire r = wire_of(payload);
	struct ssh_channel *c = find_opening(s, &r, "CHANNEL_OPEN_CONFIRMATION", err);
	uint32_t remote_id = wire_u32(&r), window = wire_u32(&r), packet_max = wire_u32(&r);

	if (!c)
		return -1;
	if (!wire_end(&r))
		return malformed(err, "CHANNEL_OPEN_CONFIRMATION");
	if (packet_max < CHANNEL_PACKET_MIN)
		return err_set(err, ERR_PROTOCOL, "channel %u: maximum packet size below %u", c->id,
			       CHANNEL_PACKET_MIN);
	c->opening = false;
	s->opening_len--;
	c->accepted = true;
	c->remote_id = remote_id;
	c->remote_window = window;
	c->remote_packet_max = MIN(packet_max, CHANNEL_DATA_MAX);
	s->config.ops->opened(s->config.owner, c, true);
	return 0;
}

int on_channel_open_failure(struct ssh_server *s, struct span payload, struct err *err)
{
	struct wire r = wire_of(payload);
	struct ssh_channel *c = find_opening(s, &r, "CHANNEL_OPEN_FAILURE", err);

	if (!c)
		return -1;
	wire_u32(&r); /* the reason, in a number, words and a language */
	wire_string(&r, PACKET_PAYLOAD_MAX);
	wire_string(&r, PACKET_PAYLOAD_MAX);
	if (!wire_end(&r))
		return malformed(err, "CHANNEL_OPEN_FAILURE");
	s->config.ops->opened(s->config.owner, c, false);
	channel_free(c);
	return 0;
}
