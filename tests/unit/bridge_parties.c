/* SPDX-License-Identifier: MIT */
/* The parties of the bridge; see bridge_parties.h. */
#include "tests/unit/unit.h"

#include "bridge_parties.h"

#include <stdio.h>

struct ssh_server bridge_server_party;
struct h3_stream bridge_stream;
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

/* The HTTP/3 side */

int h3_conn_request(struct h3_conn *c, const struct h3_request *request,
		    const struct h3_stream_ops *ops, void *user, struct h3_stream **ret,
		    struct err *err)
{
	(void)err;
	(void)c;
	bridge_streams++;
	bridge_stream.ops = ops;
	bridge_stream.user = user;
	snprintf(bridge_stream.method, sizeof(bridge_stream.method), "%s", request->method);
	snprintf(bridge_stream.protocol, sizeof(bridge_stream.protocol), "%s",
		 request->protocol ? request->protocol : "");
	snprintf(bridge_stream.authority, sizeof(bridge_stream.authority), "%s",
		 request->authority ? request->authority : "");
	snprintf(bridge_stream.path, sizeof(bridge_stream.path), "%s",
		 request->path ? request->path : "");
	*ret = &bridge_stream;
	return 0;
}

size_t h3_stream_room(struct h3_stream *s)
{
	s->starved = s->starved || s->room < BRIDGE_STREAM_ROOM / 2;
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
