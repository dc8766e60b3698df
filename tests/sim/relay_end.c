/* SPDX-License-Identifier: MIT */
/* An endpoint of a relay: its control connection, and the inner ones; see relay_world.h. */
#include "tests/sim/relay_world.h"

#include <assert.h>
#include <string.h>

#include "init/base/alloc.h"
#include "tests/sim/peer.h"

#define CHUNK 4096

static void must(bool done)
{
	if (!done)
		abort();
}

/* The stream of capsules */

static bool is_stream(void *user, uint64_t type)
{
	(void)user;
	(void)type;
	return false;
}

static void on_piece(void *user, uint64_t type, struct span bytes)
{
	(void)user;
	(void)type;
	(void)bytes;
}

static int on_capsule(void *user, uint64_t type, struct span value, struct err *err)
{
	struct relay_end *end = user;
	struct relay_refused refused;
	struct relay_welcome welcome;
	struct relay_peer peer;
	uint32_t retry_ms;

	switch (type) {
	case RELAY_WELCOME:
		must(relay_welcome_parse(value, &welcome, err) == 0);
		end->is_welcome = true;
		end->observed = welcome.observed;
		break;
	case RELAY_OBSERVED:
		must(relay_observed_parse(value, &end->observed, err) == 0);
		break;
	case RELAY_PEER:
		must(relay_peer_parse(value, &peer, err) == 0);
		end->here += peer.is_here;
		end->gone += !peer.is_here;
		break;
	case RELAY_REFUSED:
		must(relay_refused_parse(value, &refused, err) == 0);
		end->is_refused = true;
		end->code = refused.code;
		break;
	case RELAY_DRAIN:
		must(relay_drain_parse(value, &retry_ms, err) == 0);
		end->is_drained = true;
		break;
	default:
		must(false);
	}
	return 0;
}

static const struct capsule_ops capsule_ops = { is_stream, on_piece, on_capsule };

static void on_control_body(struct h3_stream *stream, void *user, struct span bytes)
{
	struct relay_end *end = user;
	struct err err;

	if (end->is_deaf)
		return;
	h3_stream_consumed(stream, bytes.len);
	must(capsule_reader_feed(&end->reader, bytes, &err) == 0);
}

static void on_control_stream_closed(struct h3_stream *stream, void *user, const struct err *why)
{
	struct relay_end *end = user;

	(void)stream;
	(void)why;
	end->stream = NULL;
}

static const struct h3_stream_ops control_stream_ops = {
	.body = on_control_body,
	.closed = on_control_stream_closed,
};

static void sign(struct relay_end *end, struct relay_hello *hello)
{
	uint8_t message[RELAY_SIGNED_LEN];
	struct secret binding;
	struct err err;

	memcpy(hello->key, end->key.public.bytes, sizeof(hello->key));
	must(quic_conn_export(h3_conn_quic(end->control), RELAY_EXPORT_LABEL, &binding, &err) == 0);
	binding.bytes[0] ^= end->lies_binding;
	relay_signed(binding.bytes, hello, message);
	must(key_sign(&end->key, span_of(message, sizeof(message)), hello->signature, &err) == 0);
	hello->key[0] ^= end->lies_key;
}

static void say_hello(struct relay_end *end)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(RELAY_VALUE_MAX);
	struct relay_hello hello = { .role = end->role, .token = span_of_str(end->token) };
	struct relay_id id;

	memcpy(hello.tag, end->tag.bytes, sizeof(hello.tag));
	hello.tag[0] ^= end->lies_tag;
	key_id(end->job ? &end->job->key.public : &end->key.public, &id);
	memcpy(hello.id, id.bytes, sizeof(hello.id));
	hello.id[0] ^= end->lies_id;
	if (end->role == RELAY_JOB)
		sign(end, &hello);
	must(relay_hello_format(&hello, &b));
	end->last_hello_len = buf_len(&b);
	memcpy(end->last_hello, buf_span(&b).ptr, buf_len(&b));
	if (end->replays)
		must(h3_stream_write(end->stream, span_of(end->replays->last_hello,
							  end->replays->last_hello_len)));
	else
		must(h3_stream_write(end->stream, buf_span(&b)));
}

static void on_control_ready(struct h3_conn *h3, void *owner)
{
	const struct h3_request request = { .method = "CONNECT",
					    .protocol = RELAY_PROTOCOL,
					    .authority = "relay",
					    .path = RELAY_PATH };
	struct relay_end *end = owner;
	struct err err;

	must(h3_conn_request(h3, &request, &control_stream_ops, end, &end->stream, &err) == 0);
	say_hello(end);
}

static void on_control_closed(struct h3_conn *h3, void *owner, const struct err *why)
{
	struct relay_end *end = owner;

	(void)h3;
	end->is_over = true;
	end->was_reset = strcmp(why->text, "the relay was restarted") == 0;
}

static void on_wants_write(struct h3_conn *h3, void *owner)
{
	(void)h3;
	(void)owner;
}

static const struct h3_conn_ops control_ops = {
	.ready = on_control_ready,
	.wants_write = on_wants_write,
	.closed = on_control_closed,
};

void relay_end_dial(struct relay_end *end)
{
	struct relay_world *w = end->world;
	struct quic_client_config config = {
		.tls = w->tls,
		.settings = QUIC_SETTINGS_DEFAULT,
		.tag = &end->control_tag,
		.peer_tag = &w->keys.tag,
		.now = w->now,
	};
	struct err err;

	end->control = h3_conn_free(end->control);
	capsule_reader_finish(&end->reader);
	capsule_reader_init(&end->reader, &capsule_ops, end, RELAY_VALUE_MAX);
	end->is_welcome = end->is_refused = end->is_drained = end->is_over = end->was_reset = false;
	end->path = (struct quic_path){ end->address, end->relay };
	config.path = end->path;
	config.settings.is_small = true;
	config.settings.keep_alive_ns = 25 * NSEC_PER_SEC;
	end->control = h3_conn_new(quic_conn_connect(&config, &err), &control_ops, end);
}

/* The inner connections */

static void on_echo_body(struct h3_stream *stream, void *user, struct span bytes)
{
	(void)user;
	must(h3_stream_write(stream, bytes));
	h3_stream_consumed(stream, bytes.len);
}

static void on_inner_request(struct h3_conn *h3, void *owner, struct h3_stream *stream,
			     const struct h3_request *request)
{
	static const struct h3_stream_ops ops = { .body = on_echo_body };

	(void)h3;
	(void)owner;
	(void)request;
	h3_stream_set_ops(stream, &ops, NULL);
	h3_stream_respond(stream, 200);
}

static void send_more(struct relay_end *end)
{
	uint8_t bytes[CHUNK];

	/* No more is on its way than the echo's buffer holds. */
	while (end->echo && end->sent < end->to_send && end->sent - end->received < H3_SEND_LEAST) {
		size_t len = (size_t)MIN(end->to_send - end->sent, (uint64_t)CHUNK);

		pattern_fill(end->sent, bytes, len);
		if (!h3_stream_write(end->echo, span_of(bytes, len)))
			return;
		end->sent += len;
	}
}

void relay_end_go_on(struct relay_end *end)
{
	send_more(end);
}

static void on_answer(struct h3_stream *stream, void *user, struct span bytes)
{
	struct relay_end *end = user;

	h3_stream_consumed(stream, bytes.len);
	end->is_wrong = end->is_wrong || !pattern_matches(end->received, bytes);
	end->received += bytes.len;
	send_more(end);
}

static void on_inner_stream_closed(struct h3_stream *stream, void *user, const struct err *why)
{
	struct relay_end *end = user;

	(void)stream;
	(void)why;
	end->echo = NULL;
}

static void on_inner_ready(struct h3_conn *h3, void *owner)
{
	static const struct h3_stream_ops ops = { .body = on_answer,
						  .closed = on_inner_stream_closed };
	const struct h3_request request = {
		.method = "CONNECT", .protocol = "echo", .authority = "job", .path = "/echo"
	};
	struct relay_end *end = owner;
	struct err err;

	must(h3_conn_request(h3, &request, &ops, end, &end->echo, &err) == 0);
	send_more(end);
}

static void on_inner_closed(struct h3_conn *h3, void *owner, const struct err *why)
{
	struct relay_end *end = owner;

	(void)h3;
	end->inner_over = true;
	end->inner_why = *why;
}

static void on_job_conn_closed(struct h3_conn *h3, void *owner, const struct err *why)
{
	(void)h3;
	(void)owner;
	(void)why;
}

static void on_job_ready(struct h3_conn *h3, void *owner)
{
	(void)h3;
	(void)owner;
}

static const struct h3_conn_ops inner_ops = {
	.ready = on_inner_ready,
	.wants_write = on_wants_write,
	.closed = on_inner_closed,
};

static const struct h3_conn_ops job_ops = {
	.ready = on_job_ready,
	.request = on_inner_request,
	.wants_write = on_wants_write,
	.closed = on_job_conn_closed,
};

static void on_accept(void *owner, struct quic_conn *quic)
{
	struct relay_end *end = owner;

	assert(end->accepted_count < RELAY_ENDS_MAX);
	end->accepted[end->accepted_count++] = h3_conn_new(quic, &job_ops, end);
}

/* As the real ones do: a synthetic address stands for "by this relay". */
struct quic_path relay_inner_path(uint16_t number)
{
	struct quic_path path = { 0 };

	path.local.len = path.remote.len = sizeof(path.local.v6);
	path.local.v6.sin6_family = path.remote.v6.sin6_family = AF_INET6;
	memcpy(path.local.v6.sin6_addr.s6_addr, "\xfd\x62\x72\x74\x68", 5);
	path.remote.v6.sin6_addr = path.local.v6.sin6_addr;
	path.local.v6.sin6_addr.s6_addr[15] = (uint8_t)number;
	path.remote.v6.sin6_addr.s6_addr[7] = 1;
	return path;
}

void relay_end_start_job(struct relay_end *end, const struct key_public *client)
{
	static const struct quic_server_ops ops = { .accept = on_accept };
	struct quic_server_config config = {
		.reset_key = &end->reset_key,
		.tag = &end->tag,
		.settings = QUIC_SETTINGS_DEFAULT,
		.ops = &ops,
		.owner = end,
	};
	struct err err;

	must(key_random_secret(&end->reset_key, &err) == 0);
	end->tls = tls_context_new(TLS_SERVER, &end->key, client, &err);
	config.tls = end->tls;
	end->server = quic_server_new(&config, &err);
	must(end->tls && end->server);
}

void relay_end_connect(struct relay_end *end, uint64_t to_send)
{
	struct quic_client_config config = {
		.settings = QUIC_SETTINGS_DEFAULT,
		.tag = &end->tag,
		.peer_tag = &end->job->tag,
		.now = end->world->now,
	};
	struct err err;

	/* A job lets one key in; all clients of these tests have it. */
	if (!end->tls)
		end->tls = tls_context_new(TLS_CLIENT, &end->key, &end->job->key.public, &err);
	end->inner_path = relay_inner_path(1);
	config.tls = end->tls;
	config.path = end->inner_path;
	end->to_send = to_send;
	end->inner = h3_conn_new(quic_conn_connect(&config, &err), &inner_ops, end);
}
