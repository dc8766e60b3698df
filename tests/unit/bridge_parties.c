/* SPDX-License-Identifier: MIT */
/* The parties of the bridge; see bridge_parties.h. */
#include "tests/unit/unit.h"

#include "bridge_parties.h"

#include <stdio.h>

struct ssh_server bridge_server_party;
struct h3_stream bridge_stream, *bridge_next = &bridge_stream;
size_t bridge_streams;

/* The SSH side */

struct ssh_server *ssh_server_new(const struct ssh_server_config *config)
{
	bridge_server_party.config = *config;
	return &bridge_server_party;
}

struct ssh_server *ssh_server_free(struct ssh_server *s)
{
	struct ssh_channel *c = s->channel;

	if (c && c->user)
		s->config.ops->closed(s->config.owner, c);
	s->channel = NULL;
	if (s->listener && s->listener->user)
		s->config.ops->unlisten(s->config.owner, s->listener);
	s->listener = NULL;
	return NULL;
}

void *ssh_channel_user(struct ssh_channel *c)
{
	return c->user;
}

void ssh_channel_set_user(struct ssh_channel *c, void *user)
{
	c->user = user;
}

void ssh_channel_accept(struct ssh_channel *c)
{
	c->accepted = true;
}

void ssh_channel_refuse(struct ssh_channel *c, const struct err *why)
{
	c->refused = true;
	c->user = NULL;
	c->refusal_kind = why->kind;
	snprintf(c->refusal, sizeof(c->refusal), "%s", why->text);
}

void ssh_channel_started(struct ssh_channel *c, bool ok)
{
	assert_false(c->started);
	c->started = true;
	c->started_ok = ok;
}

size_t ssh_channel_room(struct ssh_channel *c)
{
	return c->room;
}

void ssh_channel_write(struct ssh_channel *c, enum ssh_output output, struct span bytes)
{
	assert_true(bytes.len <= c->room);
	assert_false(c->eof);
	c->room -= bytes.len;
	assert_true(buf_append_span(output == SSH_STDERR ? &c->err : &c->out, bytes));
}

void ssh_channel_eof(struct ssh_channel *c)
{
	c->eof = true;
}

void ssh_channel_exit_status(struct ssh_channel *c, uint32_t status)
{
	c->status = (int)status;
}

void ssh_channel_exit_signal(struct ssh_channel *c, const char *name, bool core_dumped)
{
	(void)core_dumped;
	snprintf(c->signal, sizeof(c->signal), "%s", name);
}

void ssh_channel_consumed(struct ssh_channel *c, size_t len)
{
	c->consumed += len;
}

void ssh_channel_close(struct ssh_channel *c)
{
	c->closed = true;
}

void *ssh_listener_user(struct ssh_listener *l)
{
	return l->user;
}

void ssh_listener_set_user(struct ssh_listener *l, void *user)
{
	l->user = user;
}

void ssh_listener_started(struct ssh_listener *l, bool ok, uint16_t port)
{
	assert_false(l->answered);
	l->answered = true;
	l->ok = ok;
	l->port = port;
	if (!ok)
		l->user = NULL;
}

struct ssh_channel *ssh_listener_open(struct ssh_listener *l, const char *originator, uint16_t port)
{
	assert_true(l->ok);
	snprintf(l->originator, sizeof(l->originator), "%s:%u", originator, port);
	return l->next;
}

/* The HTTP/3 side */

int h3_conn_request(struct h3_conn *c, const struct h3_request *request,
		    const struct h3_stream_ops *ops, void *user, struct h3_stream **ret,
		    struct err *err)
{
	struct h3_stream *stream = bridge_next;

	(void)c;
	if (!stream)
		return err_set(err, ERR_LIMIT, "no more streams");
	bridge_streams++;
	stream->ops = ops;
	stream->user = user;
	snprintf(stream->method, sizeof(stream->method), "%s", request->method);
	snprintf(stream->protocol, sizeof(stream->protocol), "%s",
		 request->protocol ? request->protocol : "");
	snprintf(stream->authority, sizeof(stream->authority), "%s",
		 request->authority ? request->authority : "");
	snprintf(stream->path, sizeof(stream->path), "%s", request->path ? request->path : "");
	*ret = stream;
	return 0;
}

size_t h3_stream_room(struct h3_stream *s)
{
	s->starved = s->starved || s->room < BRIDGE_STREAM_ROOM / 2;
	return s->room;
}

bool h3_stream_write(struct h3_stream *s, struct span bytes)
{
	assert_false(s->ended || s->reset);
	if (bytes.len > h3_stream_room(s))
		return false;
	s->room -= bytes.len;
	return buf_append_span(&s->sent, bytes);
}

void h3_stream_end(struct h3_stream *s)
{
	assert_false(s->ended || s->reset);
	s->ended = true;
}

void h3_stream_reset(struct h3_stream *s)
{
	s->reset = true;
}

void h3_stream_consumed(struct h3_stream *s, size_t len)
{
	s->consumed += len;
}
