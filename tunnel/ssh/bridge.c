/* SPDX-License-Identifier: MIT */
/* SSH channels on HTTP/3 streams: how they open and end; see bridge.h. */
#include "bridge.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "init/base/alloc.h"
#include "init/base/log.h"
#include "tunnel/ssh/bridge_channel.h"
#include "tunnel/wire/process.h"
#include "tunnel/wire/reason.h"

/* Backstops: the windows of both protocols are far smaller, so that reaching these is a bug. */
#define UP_MAX (64 * 1024 * 1024)
#define DOWN_MAX (64 * 1024 * 1024)
#define STATUS_OK 200

static void channel_free(struct bridge_channel *c)
{
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	c->bridge->channels_len--;
	buf_finish(&c->up);
	buf_finish(&c->down);
	buf_finish(&c->reason);
	capsule_reader_finish(&c->reader);
	free(c->target);
	free(c);
}

/* The channel */

/* Lets bridge_tidy() end the stream: not from inside one of its callbacks. */
static void finish(struct bridge_channel *c)
{
	c->finished = true;
	c->bridge->needs_tidying = true;
}

static void on_response(struct h3_stream *stream, void *user, int status)
{
	struct bridge_channel *c = user;

	(void)stream;
	c->accepted = status == STATUS_OK;
	c->why.kind = err_kind_from_http(status);
	if (!c->ssh || !c->accepted)
		return;
	if (c->type == SSH_CHANNEL_SESSION)
		ssh_channel_started(c->ssh, true);
	else if (c->type != SSH_CHANNEL_FORWARDED)
		ssh_channel_accept(c->ssh);
}

/*
 * A session was accepted before the job was asked: it ends with the job's words on standard error.
 */
static void end_session(struct bridge_channel *c, const struct err *why)
{
	char line[ERR_TEXT_MAX + 16];
	int len = snprintf(line, sizeof(line), "berth: %s\r\n", why->text);
	size_t room = ssh_channel_room(c->ssh);

	if (!c->accepted)
		ssh_channel_started(c->ssh, true);
	ssh_channel_write(c->ssh, SSH_STDERR, span_of(line, MIN((size_t)len, room)));
	if (!c->exited)
		ssh_channel_exit_status(c->ssh, c->accepted ? BRIDGE_EXIT_LOST
							    : (uint32_t)err_exit_status(why));
	ssh_channel_eof(c->ssh);
	ssh_channel_close(c->ssh);
}

static void refuse(struct bridge_channel *c, const struct err *why)
{
	if (c->type == SSH_CHANNEL_SESSION) {
		end_session(c, why);
	} else if (c->accepted || c->type == SSH_CHANNEL_FORWARDED) {
		ssh_channel_close(c->ssh);
	} else {
		ssh_channel_refuse(c->ssh, why);
		c->ssh = NULL;
	}
}

static void on_end(struct h3_stream *stream, void *user)
{
	struct bridge_channel *c = user;

	(void)stream;
	c->down_ended = true;
	if (c->ssh && !c->accepted && !c->failed) {
		struct err why = { .kind = c->why.kind };

		err_set(&why, why.kind, "%s", reason_text(&c->reason, err_kind_word(why.kind)));
		c->up_ended = true;
		refuse(c, &why);
		finish(c);
	} else if (buf_len(&c->down) == 0) {
		flow_down(c);
	}
	/* The process is gone, and what was typed ahead with it. */
	if (c->type == SSH_CHANNEL_SESSION)
		finish(c);
}

static void on_stream_writable(struct h3_stream *stream, void *user)
{
	(void)stream;
	flow_up(user);
}

static void on_stream_closed(struct h3_stream *stream, void *user, const struct err *why)
{
	struct bridge_channel *c = user;

	(void)stream;
	c->stream = NULL;
	if (!c->ssh) {
		channel_free(c);
		return;
	}
	/* After the end, all that matters was said. */
	if (!c->down_ended)
		flow_fail(c, why && why->kind != ERR_NONE
				     ? why
				     : &(struct err){ ERR_UNAVAILABLE, 0,
						      "the job ended the stream" });
}

const struct h3_stream_ops bridge_stream_ops = {
	.response = on_response,
	.body = flow_on_body,
	.end = on_end,
	.writable = on_stream_writable,
	.closed = on_stream_closed,
};

struct bridge_channel *bridge_channel_new(struct bridge *bridge, struct ssh_channel *channel,
					  enum ssh_channel_type type, const char *target)
{
	struct bridge_channel *c = new_zero(struct bridge_channel);

	c->bridge = bridge;
	c->ssh = channel;
	c->type = type;
	c->target = target ? str_dup(target) : NULL;
	buf_init(&c->up, UP_MAX);
	buf_init(&c->down, DOWN_MAX);
	buf_init(&c->reason, ERR_TEXT_MAX - 1);
	capsule_reader_init(&c->reader, &flow_capsule_ops, c, PROCESS_VALUE_MAX);
	c->next = bridge->channels;
	c->link = &bridge->channels;
	if (c->next)
		c->next->link = &c->next;
	bridge->channels = c;
	bridge->channels_len++;
	ssh_channel_set_user(channel, c);
	return c;
}

static void on_open(void *owner, struct ssh_channel *channel, enum ssh_channel_type type,
		    const char *target)
{
	struct bridge_channel *c = bridge_channel_new(owner, channel, type, target);

	if (type == SSH_CHANNEL_SESSION)
		ssh_channel_accept(channel);
	else
		request_when_possible(c);
}

static void on_start(void *owner, struct ssh_channel *channel, const struct ssh_start *start)
{
	struct bridge_channel *c = ssh_channel_user(channel);

	(void)owner;
	c->start = start;
	c->typed = start->pty != NULL;
	request_when_possible(c);
}

/* The client takes a connection that was made in the job, or does not. */
static void on_opened(void *owner, struct ssh_channel *channel, bool ok)
{
	struct bridge_channel *c = ssh_channel_user(channel);

	(void)owner;
	if (ok) {
		c->opened = true;
		request_when_possible(c);
		return;
	}
	if (c->listener)
		listener_refuse(c->listener, c->accept_id);
	c->ssh = NULL;
	channel_free(c);
}

static void on_closed(void *owner, struct ssh_channel *channel)
{
	struct bridge_channel *c = ssh_channel_user(channel);

	(void)owner;
	c->ssh = NULL;
	if (!c->stream)
		channel_free(c);
	else if (flow_is_left_alone(c))
		flow_leave(c);
	else if (!c->tidied)
		finish(c);
}

static void on_wants_write(void *owner)
{
	(void)owner; /* whoever drives the bridge looks at the end of each turn */
}

static const struct ssh_server_ops server_ops = {
	.open = on_open,
	.start = on_start,
	.data = flow_on_data,
	.eof = flow_on_eof,
	.window_change = flow_on_window_change,
	.signal = flow_on_signal,
	.output_unwanted = flow_on_output_unwanted,
	.writable = flow_on_writable,
	.closed = on_closed,
	.listen = listener_on_listen,
	.unlisten = listener_on_unlisten,
	.opened = on_opened,
	.wants_write = on_wants_write,
};

/* The bridge */

struct bridge *bridge_new(const struct key_pair *host_key)
{
	struct bridge *bridge = new_zero(struct bridge);
	struct ssh_server_config server = { .host_key = host_key,
					    .ops = &server_ops,
					    .owner = bridge };

	bridge->server = ssh_server_new(&server);
	return bridge;
}

struct bridge *bridge_free(struct bridge *bridge)
{
	if (!bridge)
		return NULL;
	bridge->server = ssh_server_free(bridge->server);
	assert(!bridge->channels && !bridge->listeners);
	free(bridge->agent_path);
	free(bridge);
	return NULL;
}

struct ssh_server *bridge_server(struct bridge *bridge)
{
	return bridge->server;
}

size_t bridge_channels(const struct bridge *bridge)
{
	return bridge->channels_len;
}

void bridge_connect(struct bridge *bridge, struct h3_conn *conn)
{
	bridge->conn = conn;
	listeners_connect(bridge);
	bridge_request_waiting(bridge);
}

void bridge_request_waiting(struct bridge *bridge)
{
	for (struct bridge_channel *c = bridge->channels, *next; c; c = next) {
		next = c->next;
		request_when_possible(c);
	}
}

void bridge_disconnect(struct bridge *bridge)
{
	bridge->conn = NULL;
	bridge->is_over = true;
}

/* Nothing more will be written: a clean end if all was said, else an abrupt one. */
static void end_stream(struct bridge_channel *c, bool clean)
{
	if (clean && buf_len(&c->up) == 0)
		flow_end_up(c);
	else
		h3_stream_reset(c->stream);
}

static void tidy(struct bridge_channel *c)
{
	bool clean = !c->failed && c->down_ended;

	if (c->tidied)
		return;
	c->tidied = true;
	c->finished = true;
	if (c->failed && c->ssh && !c->down_ended) {
		log_debug("channel: %s", c->why.text);
		refuse(c, &c->why);
	}
	c->down_ended = true;
	if (c->stream)
		end_stream(c, clean);
	else if (!c->ssh)
		channel_free(c);
}

void bridge_tidy(struct bridge *bridge)
{
	if (!bridge->needs_tidying || bridge->is_over)
		return;
	bridge->needs_tidying = false;
	for (struct bridge_channel *c = bridge->channels, *next; c; c = next) {
		next = c->next;
		if (c->failed || c->finished)
			tidy(c);
	}
}
