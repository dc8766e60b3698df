/* SPDX-License-Identifier: MIT */
/* The relay's TCP port, with a job and a workstation that come to it over loopback. */
#include "tests/unit/unit.h"

#include <string.h>

#include "init/base/alloc.h"
#include "tests/unit/stream_parties.h"
#include "tunnel/net/addr.h"
#include "tunnel/net/carrier.h"
#include "tunnel/net/clock.h"
#include "tunnel/relay/control.h"
#include "tunnel/relay/listen_tcp.h"

#define TOKEN "a token"

static struct relay_keys keys;
static struct tls_context *tls;
static struct key_pair job_key;
static struct core *core;
static struct listen_tcp *listener;
static bool is_closed;

/* An endpoint, and what it was told. */
static struct end {
	struct carrier *carrier;
	enum relay_role role;
	uint8_t tag[RELAY_TAG_LEN];
	bool is_up, is_welcome, has_challenge, says_nothing, lies;
	uint8_t challenge[RELAY_BINDING_LEN];
	bool is_here;
	size_t bytes, runs, first;
	uint64_t refused;
	bool is_over;
	struct err why;
} job, client;

static void say_hello(struct end *end)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(RELAY_VALUE_MAX);
	struct relay_hello hello = { .role = end->role, .token = span_of_str(TOKEN) };
	uint8_t message[RELAY_SIGNED_LEN];
	struct secret binding = { 0 };
	struct relay_id id;

	key_id(&job_key.public, &id);
	memcpy(hello.id, id.bytes, sizeof(hello.id));
	memcpy(hello.tag, end->tag, sizeof(hello.tag));
	if (end->role == RELAY_JOB) {
		memcpy(hello.key, job_key.public.bytes, sizeof(hello.key));
		if (end->has_challenge)
			memcpy(binding.bytes, end->challenge, sizeof(binding.bytes));
		else
			assert_int_equal(
				carrier_export(end->carrier, RELAY_EXPORT_LABEL, &binding, NULL),
				0);
		binding.bytes[0] ^= end->lies;
		relay_signed(binding.bytes, &hello, message);
		assert_int_equal(key_sign(&job_key, span_of(message, sizeof(message)),
					  hello.signature, NULL),
				 0);
	}
	assert_true(relay_hello_format(&hello, &b));
	assert_true(carrier_send_whole(end->carrier, buf_span(&b)));
}

static void on_up(struct carrier *carrier, void *owner)
{
	struct end *end = owner;

	end->is_up = true;
	end->carrier = carrier;
	if (!end->has_challenge && !end->says_nothing)
		say_hello(end);
}

static void on_datagrams(struct carrier *carrier, void *owner, const struct udp_datagrams *d)
{
	struct end *end = owner;

	(void)carrier;
	end->bytes += d->bytes.len;
	end->first = d->segment;
	end->runs++;
}

static int on_capsule(struct carrier *carrier, void *owner, uint64_t type, struct span value,
		      struct err *err)
{
	struct end *end = owner;
	struct relay_peer peer;
	struct relay_refused refused;

	(void)carrier;
	if (type == RELAY_CHALLENGE) {
		assert_int_equal(relay_challenge_parse(value, end->challenge, err), 0);
		say_hello(end);
	} else if (type == RELAY_WELCOME) {
		end->is_welcome = true;
	} else if (type == RELAY_PEER) {
		assert_int_equal(relay_peer_parse(value, &peer, err), 0);
		end->is_here = peer.is_here;
	} else if (type == RELAY_REFUSED) {
		assert_int_equal(relay_refused_parse(value, &refused, err), 0);
		end->refused = refused.code;
	}
	return 0;
}

static void on_writable(struct carrier *carrier, void *owner)
{
	(void)carrier;
	(void)owner;
}

static void on_over(struct carrier *carrier, void *owner, const struct err *why)
{
	struct end *end = owner;

	end->is_over = true;
	end->why = *why;
	carrier_close(carrier);
	end->carrier = NULL;
}

static const struct carrier_ops ops = {
	.up = on_up,
	.datagrams = on_datagrams,
	.capsule = on_capsule,
	.writable = on_writable,
	.over = on_over,
};

static void on_send(void *owner, const struct quic_path *path, uint8_t ecn, size_t segment,
		    struct span bytes)
{
	(void)owner;
	(void)path;
	(void)ecn;
	(void)segment;
	(void)bytes;
	fail_msg("nobody here is registered by UDP");
}

static uint64_t wall(void)
{
	return 1;
}

static void on_dirty(void *owner)
{
	(void)owner;
	core_turn(core);
}

static void on_closed(void *owner)
{
	(void)owner;
	is_closed = true;
}

static void open_listener(bool is_plain)
{
	struct listen_tcp_config config = { .loop = &parties_loop,
					    .core = core,
					    .keys = &keys,
					    .is_plain = is_plain,
					    .per_address_max = 3,
					    .dirty = on_dirty };
	struct err err;

	assert_true(addr_parse_listen("127.0.0.1:0", &config.listen));
	listener = listen_tcp_new(&config, &err);
	assert_non_null(listener);
}

static int set_up(void **state)
{
	static const struct core_ops core_ops = { on_send };
	const struct core_config config = { .ops = &core_ops, .wall = wall };
	char hash[ADMIT_HASH_TEXT_MAX];
	cleanup_free char *line = NULL;

	(void)state;
	parties_open();
	is_closed = false;
	core = core_new(&config);
	admit_hash_text(span_of_str(TOKEN), hash);
	line = str_printf("tests %s\n", hash);
	assert_int_equal(core_load(core, span_of_str(line), NULL), 0);
	job = (struct end){ .role = RELAY_JOB };
	client = (struct end){ .role = RELAY_CLIENT, .tag = "\1\2\3\4\5\6\7" };
	key_tag(&job_key.public, job.tag);
	open_listener(false);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	carrier_close(job.carrier);
	carrier_close(client.carrier);
	listen_tcp_close(listener, on_closed, NULL);
	core = core_free(core);
	parties_close();
	assert_true(is_closed);
	return 0;
}

static void dial(struct end *end)
{
	struct carrier_config config = {
		.dial = { .loop = &parties_loop,
			  .host = "127.0.0.1",
			  .port = addr_port(listen_tcp_local(listener)),
			  .tls = end->has_challenge ? NULL : tls,
			  .path = RELAY_PATH,
			  .protocol = RELAY_PROTOCOL },
		.ops = &ops,
		.owner = end,
	};

	end->carrier = carrier_dial(&config);
}

static bool both_met(void)
{
	return job.is_welcome && client.is_welcome && job.is_here && client.is_here;
}

static void meet(void)
{
	dial(&client);
	dial(&job);
	parties_until(both_met);
}

/* Datagrams with a short header and the tag of whom they are for. */
static void send_to(struct carrier *carrier, const uint8_t *tag, size_t segment, size_t count)
{
	static uint8_t bytes[QUIC_BATCH_MAX];

	for (size_t i = 0; i < count; i++) {
		bytes[i * segment] = 0x40;
		memcpy(bytes + i * segment + 1, tag, RELAY_TAG_LEN);
	}
	(void)carrier_send_run(carrier, span_of(bytes, segment * count), segment);
}

static bool all_came(void)
{
	return job.bytes == 40 * 1200 && client.bytes == 50 * 1200;
}

static void packets_go_between_two_that_met(void **state)
{
	(void)state;
	meet();
	send_to(client.carrier, job.tag, 1200, 40);
	send_to(job.carrier, client.tag, 1200, 50);
	/* For nobody: dropped, and counted. */
	send_to(client.carrier, (const uint8_t *)"nobody..", 1200, 3);
	parties_until(all_came);
	assert_int_equal(job.first, 1200);
	/* Many at once, not one by one: that is where the speed is. */
	assert_true(job.runs <= 10 && client.runs <= 10);
	while (core->stats.dropped[CORE_DROP_UNKNOWN] < 3)
		uv_run(&parties_loop, UV_RUN_ONCE);
}

static void behind_a_proxy_a_challenge_takes_the_place_of_tls(void **state)
{
	(void)state;
	listen_tcp_close(listener, on_closed, NULL);
	open_listener(true);
	job.has_challenge = client.has_challenge = true;
	meet();
	send_to(client.carrier, job.tag, 1200, 40);
	send_to(job.carrier, client.tag, 1200, 50);
	parties_until(all_came);
}

static bool job_over(void)
{
	return job.is_over;
}

static void a_signature_over_something_else_is_refused(void **state)
{
	(void)state;
	job.lies = true;
	dial(&job);
	parties_until(job_over);
	assert_int_equal(job.refused, RELAY_CODE_SIGNATURE);
	assert_false(job.is_welcome);
}

static void packets_before_hello_are_the_end(void **state)
{
	(void)state;
	client.says_nothing = true;
	dial(&client);
	while (!client.is_up)
		uv_run(&parties_loop, UV_RUN_ONCE);
	send_to(client.carrier, job.tag, 1200, 1);
	while (!client.is_over)
		uv_run(&parties_loop, UV_RUN_ONCE);
	assert_int_equal(client.refused, RELAY_CODE_PROTOCOL);
}

static bool client_is_told(void)
{
	return !client.is_here;
}

static void who_hangs_up_is_gone_for_the_other(void **state)
{
	(void)state;
	meet();
	carrier_close(job.carrier);
	job.carrier = NULL;
	parties_until(client_is_told);
}

/* Its leg is known, but what is sent to it is not read: it never gets to the loop. */
static void a_leg_that_does_not_read_loses_packets_and_nobody_else(void **state)
{
	size_t kept = 0, all_lost = 0;
	const struct leg *leg;
	const struct control *control;

	(void)state;
	meet();
	leg = legs_first(core->legs);
	while (leg->role != RELAY_JOB)
		leg = leg->next;
	control = leg->owner;
	for (int i = 0; i < 400; i++) {
		static uint8_t bytes[50 * 1200];
		size_t lost = control->ops->forward(control->transport, 1200,
						    span_of(bytes, sizeof(bytes)));

		assert_true(lost == 0 || lost == 50);
		all_lost += lost;
		kept += 50 - lost;
	}
	/* 24 MB: the kernel took some megabytes of it, and our queue what it may. */
	assert_true(all_lost > 0 && kept > 50);
	assert_false(job.is_over);
	/* Once it reads again, all that was kept arrives. */
	while (job.bytes < kept * 1200)
		uv_run(&parties_loop, UV_RUN_ONCE);
	assert_int_equal(job.bytes, kept * 1200);
}

static void expect_status(const char *path, const char *expected)
{
	struct carrier_config config = {
		.dial = { .loop = &parties_loop,
			  .host = "127.0.0.1",
			  .port = addr_port(listen_tcp_local(listener)),
			  .tls = tls,
			  .path = path,
			  .protocol = RELAY_PROTOCOL },
		.ops = &ops,
		.owner = &job,
	};

	job.is_over = false;
	job.carrier = carrier_dial(&config);
	parties_until(job_over);
	assert_non_null(strstr(job.why.text, expected));
}

static void health_is_told_and_draining_takes_nobody(void **state)
{
	(void)state;
	expect_status("/health", "answered 200");
	expect_status("/other", "answered 404");
	listen_tcp_drain(listener);
	expect_status("/health", "answered 503");
	expect_status(RELAY_PATH, "answered 503");
}

static bool one_is_refused(void)
{
	return listen_tcp_refused(listener) > 0;
}

static void an_address_has_a_limit(void **state)
{
	struct end more[2] = { { .role = RELAY_CLIENT, .tag = "a" },
			       { .role = RELAY_CLIENT, .tag = "b" } };

	(void)state;
	meet();
	dial(&more[0]);
	dial(&more[1]);
	parties_until(one_is_refused);
	assert_int_equal(listen_tcp_count(listener), 3);
	carrier_close(more[0].carrier);
	carrier_close(more[1].carrier);
}

static int make_keys(void **state)
{
	cleanup(secret_finish) struct secret secret = { 0 };

	(void)state;
	if (key_random_secret(&secret, NULL) < 0 || relay_keys_derive(&secret, &keys, NULL) < 0 ||
	    key_pair_generate(&job_key, NULL) < 0)
		return -1;
	tls = tls_context_new_to_relay(&keys.pair.public, TLS_ALPN_HTTP1, NULL);
	return tls ? 0 : -1;
}

static int free_keys(void **state)
{
	(void)state;
	tls_context_free(tls);
	relay_keys_finish(&keys);
	key_pair_finish(&job_key);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(packets_go_between_two_that_met),
		TEST(behind_a_proxy_a_challenge_takes_the_place_of_tls),
		TEST(a_signature_over_something_else_is_refused),
		TEST(packets_before_hello_are_the_end),
		TEST(who_hangs_up_is_gone_for_the_other),
		TEST(a_leg_that_does_not_read_loses_packets_and_nobody_else),
		TEST(health_is_told_and_draining_takes_nobody),
		TEST(an_address_has_a_limit),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
