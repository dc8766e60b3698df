/* SPDX-License-Identifier: MIT */
/* What simulated parties do; see peer.h. */
#include "tests/sim/peer.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "init/base/alloc.h"
#include "init/base/text.h"

void pattern_fill(uint64_t offset, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint64_t at = offset + i;

		out[i] = (uint8_t)(at * 167 + (at >> 8) * 13 + (at >> 16) * 59);
	}
}

bool pattern_matches(uint64_t offset, struct span bytes)
{
	uint8_t expected[4096];

	while (bytes.len > 0) {
		struct span part = span_cut(&bytes, MIN(bytes.len, sizeof(expected)));

		pattern_fill(offset, expected, part.len);
		if (memcmp(expected, part.ptr, part.len) != 0)
			return false;
		offset += part.len;
	}
	return true;
}

/* FNV-1a, 64 bits. */
uint64_t pattern_sum(uint64_t sum, struct span bytes)
{
	if (sum == 0)
		sum = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < bytes.len; i++)
		sum = (sum ^ bytes.ptr[i]) * UINT64_C(0x100000001b3);
	return sum;
}

uint64_t pattern_sum_of(uint64_t count)
{
	uint8_t bytes[4096];
	uint64_t sum = 0;

	for (uint64_t at = 0; at < count; at += sizeof(bytes)) {
		size_t len = (size_t)MIN(count - at, sizeof(bytes));

		pattern_fill(at, bytes, len);
		sum = pattern_sum(sum, span_of(bytes, len));
	}
	return sum;
}

/* The server's side of one stream. */
struct service {
	enum { ECHO, SINK, SOURCE, HOLD } kind;
	uint64_t left, offset, received, sum;
	struct buf held; /* echo: what did not fit */
	bool ended;
};

static void pump_source(struct h3_stream *stream, struct service *service)
{
	while (service->left > 0) {
		struct h3_space space =
			h3_stream_reserve(stream, (size_t)MIN(service->left, UINT64_C(65536)));

		if (space.len == 0)
			return;
		pattern_fill(service->offset, space.ptr, space.len);
		h3_stream_commit(stream, space.len);
		service->offset += space.len;
		service->left -= space.len;
	}
	h3_stream_end(stream);
}

static void pump_echo(struct h3_stream *stream, struct service *service)
{
	size_t len;

	/* Asking until there is no room is what brings writable(). */
	while ((len = MIN(buf_len(&service->held), h3_stream_room(stream))) > 0) {
		if (!h3_stream_write(stream, span_of(buf_span(&service->held).ptr, len)))
			abort();
		buf_consume(&service->held, len);
		h3_stream_consumed(stream, len);
	}
	if (service->ended && buf_len(&service->held) == 0)
		h3_stream_end(stream);
}

static void pump(struct h3_stream *stream, struct service *service)
{
	if (service->kind == SOURCE)
		pump_source(stream, service);
	else if (service->kind == ECHO)
		pump_echo(stream, service);
}

static void service_body(struct h3_stream *stream, void *user, struct span bytes)
{
	struct service *service = user;

	service->received += bytes.len;
	switch (service->kind) {
	case ECHO:
		if (!buf_append_span(&service->held, bytes))
			abort();
		pump_echo(stream, service);
		break;
	case SINK:
		service->sum = pattern_sum(service->sum, bytes);
		h3_stream_consumed(stream, bytes.len);
		break;
	case SOURCE:
		h3_stream_consumed(stream, bytes.len);
		break;
	case HOLD:
		break;
	}
}

static void service_end(struct h3_stream *stream, void *user)
{
	struct service *service = user;
	char text[64];

	service->ended = true;
	pump(stream, service);
	if (service->kind != SINK)
		return;
	snprintf(text, sizeof(text), "%" PRIu64 " %016" PRIx64, service->received, service->sum);
	if (!h3_stream_write(stream, span_of_str(text)))
		abort();
	h3_stream_end(stream);
}

static void service_writable(struct h3_stream *stream, void *user)
{
	pump(stream, user);
}

static void service_closed(struct h3_stream *stream, void *user, const struct err *why)
{
	struct service *service = user;

	(void)stream;
	(void)why;
	buf_finish(&service->held);
	free(service);
}

static const struct h3_stream_ops service_ops = {
	.body = service_body,
	.end = service_end,
	.writable = service_writable,
	.closed = service_closed,
};

static struct h3_stream *late;

static void start_service(struct h3_stream *stream, const char *path)
{
	struct service *service = new_zero(struct service);

	buf_init(&service->held, 64 * 1024 * 1024);
	service->kind = ECHO;
	if (strncmp(path, "/source/", 8) == 0) {
		service->kind = SOURCE;
		if (!text_parse_uint(path + 8, UINT64_MAX, &service->left))
			abort();
	} else if (strcmp(path, "/sink") == 0) {
		service->kind = SINK;
	} else if (strcmp(path, "/hold") == 0) {
		service->kind = HOLD;
	}
	h3_stream_set_ops(stream, &service_ops, service);
	h3_stream_respond(stream, 200);
	pump(stream, service);
}

void peer_release_late(void)
{
	start_service(take_ptr(late), "/echo");
}

static void server_request(struct h3_conn *conn, void *owner, struct h3_stream *stream,
			   const struct h3_request *request)
{
	struct world *world = owner;
	struct err err;

	(void)conn;
	world->requests++;
	if (!request->path || strcmp(request->path, "/refuse") == 0) {
		err_set(&err, ERR_DENIED, "this path is refused");
		h3_stream_reject(stream, &err);
	} else if (strcmp(request->path, "/late") == 0) {
		late = stream;
	} else {
		start_service(stream, request->path);
	}
}

static void server_closed(struct h3_conn *conn, void *owner, const struct err *why)
{
	struct world *world = owner;

	(void)conn;
	world->server_why = *why;
	world->server_closed++;
}

const struct h3_conn_ops peer_server_ops = {
	.request = server_request,
	.closed = server_closed,
};

static void client_ready(struct h3_conn *conn, void *owner)
{
	struct peer_client *client = owner;

	(void)conn;
	if (!client)
		return;
	client->is_ready = true;
	client->ready_at = client->world ? client->world->now : 0;
}

static void client_closed(struct h3_conn *conn, void *owner, const struct err *why)
{
	struct peer_client *client = owner;

	(void)conn;
	if (!client)
		return;
	assert(!client->is_closed);
	client->is_closed = true;
	client->why = *why;
}

static void client_ticket(struct h3_conn *conn, void *owner, const struct quic_ticket *ticket)
{
	struct peer_client *client = owner;

	(void)conn;
	if (client && client->tickets)
		world_keep_ticket(client->tickets, ticket);
}

const struct h3_conn_ops peer_client_ops = {
	.ready = client_ready,
	.ticket = client_ticket,
	.closed = client_closed,
};

void peer_get_ticket(struct world *w, struct world_ticket *ticket)
{
	struct peer_client owner = { .tickets = ticket };
	struct world_client *client = world_connect(w, &peer_client_ops, &owner);

	world_run(w, NULL, NULL, NSEC_PER_SEC);
	assert(owner.is_ready && ticket->count > 0);
	h3_conn_close(client->h3);
	world_run(w, NULL, NULL, NSEC_PER_SEC);
	assert(owner.is_closed);
	w->requests = 0;
}

static void pump_stream(struct peer_stream *s)
{
	while (s->stream && s->sent < s->to_send) {
		struct h3_space space = h3_stream_reserve(
			s->stream, (size_t)MIN(s->to_send - s->sent, UINT64_C(65536)));

		if (space.len == 0)
			return;
		pattern_fill(s->sent, space.ptr, space.len);
		h3_stream_commit(s->stream, space.len);
		s->sent += space.len;
	}
	if (s->stream && !s->keep_open)
		h3_stream_end(s->stream);
}

static void stream_response(struct h3_stream *stream, void *user, int status)
{
	struct peer_stream *s = user;

	(void)stream;
	s->status = status;
	s->answered_at = s->world ? s->world->now : 0;
}

static void stream_body(struct h3_stream *stream, void *user, struct span bytes)
{
	struct peer_stream *s = user;
	size_t kept = (size_t)MIN(s->received, sizeof(s->text) - 1);

	if (s->checks && !pattern_matches(s->received, bytes))
		s->is_wrong = true;
	memcpy(s->text + kept, bytes.ptr, MIN(bytes.len, sizeof(s->text) - 1 - kept));
	s->received += bytes.len;
	if (!s->hold)
		h3_stream_consumed(stream, bytes.len);
}

static void stream_end(struct h3_stream *stream, void *user)
{
	struct peer_stream *s = user;

	(void)stream;
	s->ended = true;
}

static void stream_writable(struct h3_stream *stream, void *user)
{
	(void)stream;
	pump_stream(user);
}

static void stream_closed(struct h3_stream *stream, void *user, const struct err *why)
{
	struct peer_stream *s = user;

	(void)stream;
	assert(!s->closed);
	s->closed = true;
	s->stream = NULL;
	s->has_error = why != NULL;
	if (why)
		s->why = *why;
}

static const struct h3_stream_ops stream_ops = {
	.response = stream_response,
	.body = stream_body,
	.end = stream_end,
	.writable = stream_writable,
	.closed = stream_closed,
};

void peer_request(struct world_client *client, const struct world *world, const char *path,
		  struct peer_stream *s)
{
	const struct h3_request request = {
		.method = "CONNECT",
		.protocol = "test",
		.authority = "job",
		.path = path,
		.urgency = s->urgency,
	};
	struct err err;

	s->world = world;
	if (h3_conn_request(client->h3, &request, &stream_ops, s, &s->stream, &err) < 0) {
		fprintf(stderr, "request: %s\n", err.text);
		abort();
	}
	pump_stream(s);
}

void peer_send(struct peer_stream *s, uint64_t count)
{
	s->to_send += count;
	pump_stream(s);
}

bool peer_is_ready(const void *peer_client)
{
	const struct peer_client *client = peer_client;

	return client->is_ready;
}

bool peer_is_gone(const void *peer_client)
{
	const struct peer_client *client = peer_client;

	return client->is_closed;
}

bool peer_is_closed(const void *peer_stream)
{
	const struct peer_stream *s = peer_stream;

	return s->closed;
}

bool peer_is_answered(const void *peer_stream)
{
	const struct peer_stream *s = peer_stream;

	return s->status != 0;
}
