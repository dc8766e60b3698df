/* SPDX-License-Identifier: MIT */
/* What the job listens on for the client; see bridge_channel.h. */
#include <stdio.h>
#include <string.h>

#include "bridge_channel.h"
#include "init/base/alloc.h"
#include "init/base/log.h"
#include "tunnel/wire/listen.h"
#include "tunnel/wire/reason.h"

#define STATUS_OK 200

static void listener_free(struct bridge_listener *l)
{
	*l->link = l->next;
	if (l->next)
		l->next->link = l->link;
	for (struct bridge_channel *c = l->bridge->channels; c; c = c->next)
		if (c->listener == l)
			c->listener = NULL;
	if (l->bridge->agent == l)
		l->bridge->agent = NULL;
	buf_finish(&l->reason);
	capsule_reader_finish(&l->reader);
	free(l->address);
	free(l);
}

/* The client learns only that it failed. Sessions that waited for the agent go on without. */
static void give_up(struct bridge_listener *l)
{
	struct bridge *bridge = l->bridge;

	/* One that did listen the client keeps, until it cancels it or goes. */
	if (!l->ssh || l->listening)
		return;
	if (bridge->agent == l)
		bridge->agent = NULL;
	ssh_listener_started(take_ptr(l->ssh), false, 0);
	bridge_request_waiting(bridge);
}

/* Why, the user learns from here. */
static void fail(struct bridge_listener *l, const struct err *why)
{
	log_warn("%s: %s", l->type == SSH_LISTENER_AGENT ? "agent forwarding" : "remote forwarding",
		 why->text);
	give_up(l);
}

/* The job stops listening, and nothing that it says about it matters any more. */
static void end_stream(struct bridge_listener *l)
{
	if (!l->ended)
		h3_stream_end(l->stream);
	l->ended = true;
}

static int on_listening(struct bridge_listener *l, struct span value, struct err *err)
{
	struct listen_address at;

	if (listen_listening_parse(value, &at, err) < 0)
		return -1;
	if (l->listening)
		return err_set(err, ERR_PROTOCOL, "a second LISTENING");
	l->listening = true;
	ssh_listener_started(l->ssh, true, at.port);
	if (l->bridge->agent == l) {
		l->bridge->agent_path = str_dup_len((const char *)at.address.ptr, at.address.len);
		bridge_request_waiting(l->bridge);
	}
	return 0;
}

static int on_accepted(struct bridge_listener *l, struct span value, struct err *err)
{
	char path[64], originator[LISTEN_ADDRESS_MAX + 1] = "";
	struct ssh_channel *channel;
	struct listen_address from;
	struct bridge_channel *c;
	uint64_t id = 0;

	if (listen_accepted_parse(value, &id, &from, err) < 0)
		return -1;
	if (!l->listening)
		return err_set(err, ERR_PROTOCOL, "ACCEPTED before LISTENING");
	if (from.address.len > 0)
		memcpy(originator, from.address.ptr, from.address.len);
	channel = ssh_listener_open(l->ssh, originator, from.port);
	if (!channel) {
		listener_refuse(l, id);
		return 0;
	}
	snprintf(path, sizeof(path), "/accept/%llu", (unsigned long long)id);
	c = bridge_channel_new(l->bridge, channel, SSH_CHANNEL_FORWARDED, path);
	c->listener = l;
	c->accept_id = id;
	return 0;
}

static bool is_stream(void *user, uint64_t type)
{
	(void)user;
	/* Unknown capsules are skipped however long they are. */
	return type != LISTEN_LISTENING && type != LISTEN_ACCEPTED;
}

static void on_piece(void *user, uint64_t type, struct span bytes)
{
	(void)user;
	(void)type;
	(void)bytes;
}

static int on_whole(void *user, uint64_t type, struct span value, struct err *err)
{
	return type == LISTEN_LISTENING ? on_listening(user, value, err)
					: on_accepted(user, value, err);
}

static const struct capsule_ops capsule_ops = { is_stream, on_piece, on_whole };

static void on_response(struct h3_stream *stream, void *user, int status)
{
	struct bridge_listener *l = user;

	(void)stream;
	l->accepted = status == STATUS_OK;
	l->why.kind = err_kind_from_http(status);
}

static void on_body(struct h3_stream *stream, void *user, struct span bytes)
{
	struct bridge_listener *l = user;
	struct err err = { 0 };

	h3_stream_consumed(stream, bytes.len);
	if (!l->accepted) {
		reason_add(&l->reason, bytes);
	} else if (!l->ended && capsule_reader_feed(&l->reader, bytes, &err) < 0) {
		fail(l, &err);
		end_stream(l);
	}
}

static void on_end(struct h3_stream *stream, void *user)
{
	struct bridge_listener *l = user;
	struct err why;

	(void)stream;
	err_set(&why, l->why.kind, "%s",
		reason_text(&l->reason, "the job does not listen any more"));
	if (!l->ended)
		fail(l, &why);
	end_stream(l);
}

static void on_closed(struct h3_stream *stream, void *user, const struct err *why)
{
	struct bridge_listener *l = user;

	(void)stream;
	/* With the connection, most often, of which its owner speaks. */
	if (why)
		log_debug("listener: %s", why->text);
	l->stream = NULL;
	give_up(l);
	if (!l->ssh)
		listener_free(l);
}

static const struct h3_stream_ops stream_ops = {
	.response = on_response,
	.body = on_body,
	.end = on_end,
	.closed = on_closed,
};

static void request(struct bridge_listener *l)
{
	static const struct h3_request r = { .method = "CONNECT",
					     .protocol = "berth-listen",
					     .authority = "job",
					     .path = "/listen" };
	static const enum listen_kind kinds[] = { [SSH_LISTENER_TCP] = LISTEN_TCP,
						  [SSH_LISTENER_UNIX] = LISTEN_UNIX,
						  [SSH_LISTENER_AGENT] = LISTEN_PRIVATE };
	const struct listen_start start = { kinds[l->type], span_of_str(l->address), l->port };
	cleanup(buf_finish) struct buf b = BUF_INIT(LISTEN_VALUE_MAX + CAPSULE_HEAD_MAX);
	struct err err = { 0 };

	l->requested = true;
	if (!listen_start_format(&start, &b) || start.address.len > LISTEN_ADDRESS_MAX)
		err_set(&err, ERR_INVALID, "the socket's path is too long");
	else if (h3_conn_request(l->bridge->conn, &r, &stream_ops, l, &l->stream, &err) == 0 &&
		 !h3_stream_write(l->stream, buf_span(&b)))
		err_set(&err, ERR_INTERNAL, "a new stream has no room");
	if (err.kind == ERR_NONE)
		return;
	fail(l, &err);
	if (l->stream)
		h3_stream_reset(l->stream);
	else
		listener_free(l);
}

void listeners_connect(struct bridge *bridge)
{
	for (struct bridge_listener *l = bridge->listeners, *next; l; l = next) {
		next = l->next;
		if (!l->requested)
			request(l);
	}
}

void listener_on_listen(void *owner, struct ssh_listener *listener, enum ssh_listener_type type,
			const char *address, uint16_t port)
{
	struct bridge *bridge = owner;
	struct bridge_listener *l = new_zero(struct bridge_listener);

	l->bridge = bridge;
	l->ssh = listener;
	l->type = type;
	l->address = str_dup(address);
	l->port = port;
	buf_init(&l->reason, ERR_TEXT_MAX - 1);
	capsule_reader_init(&l->reader, &capsule_ops, l, LISTEN_VALUE_MAX);
	l->next = bridge->listeners;
	l->link = &bridge->listeners;
	if (l->next)
		l->next->link = &l->next;
	bridge->listeners = l;
	if (type == SSH_LISTENER_AGENT) {
		bridge->agent = l;
		free(take_ptr(bridge->agent_path));
	}
	ssh_listener_set_user(listener, l);
	if (bridge->conn)
		request(l);
}

void listener_on_unlisten(void *owner, struct ssh_listener *listener)
{
	struct bridge_listener *l = ssh_listener_user(listener);

	(void)owner;
	l->ssh = NULL;
	if (!l->stream)
		listener_free(l);
	else
		end_stream(l);
}

void listener_refuse(struct bridge_listener *l, uint64_t id)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(LISTEN_VALUE_MAX);

	/* Where there is no room, the job gives the connection up by itself, a little later. */
	if (l->stream && !l->ended && listen_refuse_format(id, &b) &&
	    !h3_stream_write(l->stream, buf_span(&b)))
		log_debug("ssh: a refusal was not sent");
}
