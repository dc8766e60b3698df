/* SPDX-License-Identifier: MIT */
/* Capsules over sockets: both ends are carriers, or one is a peer that does as it likes. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/stream_parties.h"
#include "tunnel/net/addr.h"
#include "tunnel/net/carrier.h"
#include "tunnel/wire/capsule.h"

#define PROTOCOL "berth-test"
#define TYPE_OURS 0x2b7f
#define TYPE_REFUSED 0x2b7d

static struct end {
	struct carrier *carrier;
	bool is_up, is_over;
	size_t runs, datagrams, bytes, capsules, writable;
	size_t segment_max;
	bool in_order;
	struct buf seen; /* lengths of datagrams, and capsules, as text */
	struct err why;
} client, server;
static struct stream *guest;
static struct stream_port *port;

static void on_up(struct carrier *carrier, void *owner)
{
	struct end *end = owner;

	(void)carrier;
	end->is_up = true;
}

static void on_datagrams(struct carrier *carrier, void *owner, const struct udp_datagrams *d)
{
	struct end *end = owner;
	struct span rest = d->bytes;

	(void)carrier;
	assert_true(d->bytes.len > 0 && d->bytes.len <= QUIC_BATCH_MAX && d->segment > 0);
	end->runs++;
	end->segment_max = MAX(end->segment_max, d->segment);
	for (size_t i = 0; i < rest.len; i++)
		end->in_order = end->in_order && rest.ptr[i] == parties_byte(end->bytes + i);
	end->bytes += rest.len;
	while (rest.len > 0) {
		size_t len = span_cut(&rest, MIN(rest.len, d->segment)).len;

		end->datagrams++;
		if (buf_room(&end->seen) > 100)
			assert_true(buf_printf(&end->seen, "%zu ", len));
	}
}

static int on_capsule(struct carrier *carrier, void *owner, uint64_t type, struct span value,
		      struct err *err)
{
	struct end *end = owner;

	(void)carrier;
	end->capsules++;
	if (type == TYPE_REFUSED)
		return err_set(err, ERR_DENIED, "not this one");
	if (type == TYPE_OURS && buf_room(&end->seen) > 100)
		assert_true(buf_printf(&end->seen, "[%.*s] ", (int)MIN(value.len, 20),
				       (const char *)value.ptr));
	if (type == CARRIER_PING)
		assert_true(carrier_send(end->carrier, CARRIER_PONG, value));
	return 0;
}

static void on_writable(struct carrier *carrier, void *owner)
{
	struct end *end = owner;

	assert_false(carrier_is_blocked(carrier));
	end->writable++;
}

static void on_over(struct carrier *carrier, void *owner, const struct err *why)
{
	struct end *end = owner;

	(void)carrier;
	end->is_over = true;
	end->why = *why;
}

static const struct carrier_ops ops = {
	.up = on_up,
	.datagrams = on_datagrams,
	.capsule = on_capsule,
	.writable = on_writable,
	.over = on_over,
};

static void on_request(struct stream *stream, void *owner, const struct http1_head *head)
{
	(void)owner;
	assert_true(stream_accept(stream, head, PROTOCOL));
	server.carrier = carrier_new(stream, &parties_loop, &ops, &server);
	server.is_up = true;
	guest = NULL;
}

static void on_guest_over(struct stream *stream, void *owner, const struct err *why)
{
	(void)owner;
	(void)why;
	stream_close(stream);
	guest = NULL;
}

static const struct stream_ops guest_ops = { .request = on_request, .over = on_guest_over };

static void on_accepted(void *owner, int fd, const struct quic_addr *from)
{
	struct stream_accept_config config = { .loop = &parties_loop, .fd = fd };

	(void)owner;
	guest = stream_new_accepted(&config, &guest_ops, NULL);
	stream_port_release(port, from);
}

static struct end fresh_end(void)
{
	return (struct end){ .in_order = true, .seen = BUF_INIT(4096) };
}

static int set_up(void **state)
{
	struct stream_port_config config = { .loop = &parties_loop,
					     .max = 4,
					     .accepted = on_accepted };

	(void)state;
	parties_open();
	client = fresh_end();
	server = fresh_end();
	assert_true(addr_parse_listen("127.0.0.1:0", &config.listen));
	port = stream_port_new(&config, NULL);
	return port ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	carrier_close(client.carrier);
	carrier_close(server.carrier);
	stream_close(guest);
	stream_port_close(port);
	parties_close();
	buf_finish(&client.seen);
	buf_finish(&server.seen);
	return 0;
}

static bool both_up(void)
{
	return client.is_up && server.is_up;
}

static void connect_both(uint64_t keep_alive_ns, uint64_t patience_ns)
{
	struct carrier_config config = {
		.dial = { .loop = &parties_loop,
			  .host = "127.0.0.1",
			  .port = addr_port(stream_port_local(port)),
			  .path = "/",
			  .protocol = PROTOCOL },
		.keep_alive_ns = keep_alive_ns,
		.patience_ns = patience_ns,
		.ops = &ops,
		.owner = &client,
	};

	client.carrier = carrier_dial(&config);
	parties_until(both_up);
}

/* A peer without manners, on the other end of a socket. */
static int connect_raw(void)
{
	static const char request[] = "GET / HTTP/1.1\r\nConnection: Upgrade\r\n"
				      "Upgrade: " PROTOCOL "\r\n\r\n";
	struct stream_accept_config config = { .loop = &parties_loop };
	char answer[200];
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	config.fd = pair[0];
	guest = stream_new_accepted(&config, &guest_ops, NULL);
	assert_int_equal(send(pair[1], request, strlen(request), 0), (ssize_t)strlen(request));
	while (!server.is_up)
		uv_run(&parties_loop, UV_RUN_ONCE);
	assert_true(recv(pair[1], answer, sizeof(answer), 0) > 0);
	return pair[1];
}

static size_t sent_bytes;

static void fill(struct quic_batch *batch, size_t segment, size_t len)
{
	batch->segment = segment;
	batch->len = len;
	for (size_t i = 0; i < len; i++)
		batch->bytes[i] = parties_byte(sent_bytes + i);
	sent_bytes += len;
}

static size_t expected_bytes;

static bool all_came(void)
{
	return server.bytes == expected_bytes;
}

static void batches_come_as_runs_of_equal_datagrams(void **state)
{
	static struct quic_batch batch;
	size_t datagrams = 0;

	(void)state;
	connect_both(0, 0);
	sent_bytes = 0;
	for (size_t i = 0; i < 200; i++) {
		size_t segment = i % 3 == 0 ? 1200 : i % 3 == 1 ? 1452 : 16000;
		size_t len = MIN(segment * 40 + 100, QUIC_BATCH_MAX);

		while (carrier_is_blocked(client.carrier))
			uv_run(&parties_loop, UV_RUN_ONCE);
		fill(&batch, segment, len);
		(void)carrier_send_batch(client.carrier, &batch);
		datagrams += (len + segment - 1) / segment;
	}
	expected_bytes = sent_bytes;
	parties_until(all_came);
	assert_true(server.in_order);
	assert_int_equal(server.datagrams, datagrams);
	assert_int_equal(server.segment_max, 16000);
	/* That is what makes a stream fast: far fewer runs than datagrams. */
	assert_true(server.runs * 3 < datagrams);
}

static void sizes_and_order_stay_whatever_comes_between(void **state)
{
	static const size_t sizes[] = { 30, 30, 29, 31, 21, 1200, 1200, 50 };
	uint8_t bytes[2000];

	(void)state;
	connect_both(0, 0);
	sent_bytes = 0;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		for (size_t k = 0; k < sizes[i]; k++)
			bytes[k] = parties_byte(sent_bytes + k);
		sent_bytes += sizes[i];
		(void)carrier_send_run(client.carrier, span_of(bytes, sizes[i]), sizes[i]);
		if (i == 3)
			assert_true(carrier_send(client.carrier, TYPE_OURS, span_of_str("hello")));
	}
	expected_bytes = sent_bytes;
	parties_until(all_came);
	assert_true(server.in_order);
	assert_string_equal(buf_str(&server.seen), "30 30 29 31 [hello] 21 1200 1200 50 ");
}

static bool server_over(void)
{
	return server.is_over;
}

static void bytes_may_come_one_at_a_time(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(4096);
	uint8_t datagram[40];
	int fd = connect_raw();

	(void)state;
	for (size_t i = 0; i < sizeof(datagram); i++)
		datagram[i] = parties_byte(i);
	assert_true(capsule_append(&b, TYPE_OURS, span_of_str("first")));
	assert_true(capsule_append(&b, CARRIER_DATAGRAM, span_of(datagram, 40)));
	assert_true(capsule_append(&b, CARRIER_DATAGRAM, span_of(datagram, 20)));
	assert_true(capsule_append(&b, 0x1234, span_of_str("unknown")));
	assert_true(capsule_append(&b, TYPE_OURS, span_of_str("last")));
	for (size_t i = 0; i < buf_len(&b); i++) {
		assert_int_equal(send(fd, buf_span(&b).ptr + i, 1, 0), 1);
		uv_run(&parties_loop, UV_RUN_NOWAIT);
	}
	while (server.capsules < 3)
		uv_run(&parties_loop, UV_RUN_ONCE);
	/* What is too short to be a QUIC packet is dropped. */
	assert_string_equal(buf_str(&server.seen), "[first] 40 [last] ");
	close(fd);
	parties_until(server_over);
}

static void who_does_not_read_blocks_and_loses_nothing(void **state)
{
	static struct quic_batch batch;
	cleanup(buf_finish) struct buf got = BUF_INIT(64 * 1024 * 1024);
	struct span rest;
	size_t batches = 0, at = 0, more = 0;
	uint64_t before;
	int fd = connect_raw();

	(void)state;
	sent_bytes = 0;
	do {
		fill(&batch, 1200, 1200 * 50);
		batches++;
	} while (carrier_send_batch(server.carrier, &batch));
	assert_true(carrier_is_blocked(server.carrier));
	/* Capsules still go behind it, until there are too many of them. */
	while (carrier_send(server.carrier, TYPE_OURS, span_of(batch.bytes, 4000)))
		more++;
	assert_true(more > 10 && carrier_waiting(server.carrier) <= STREAM_QUEUE_MAX);
	before = server.writable;
	while (server.writable == before || carrier_waiting(server.carrier) > 0 || at == 0) {
		uint8_t *room = buf_reserve(&got, 65536);
		ssize_t len = recv(fd, room, 65536, 0);

		if (len > 0)
			buf_commit(&got, (size_t)len);
		at += len > 0;
		uv_run(&parties_loop, UV_RUN_NOWAIT);
	}
	for (ssize_t len = 1; len > 0;) {
		uint8_t *room = buf_reserve(&got, 65536);

		len = recv(fd, room, 65536, 0);
		if (len > 0)
			buf_commit(&got, (size_t)len);
	}
	/* 1 byte of type, 2 of length; the others 2 of each. */
	assert_int_equal(buf_len(&got), batches * 50 * 1203 + more * 4004);
	rest = buf_span(&got);
	for (size_t i = 0, byte = 0; i < batches * 50; i++) {
		struct span capsule = span_cut(&rest, 1203);

		assert_int_equal(capsule.ptr[0], 0);
		for (size_t k = 3; k < capsule.len; k++)
			assert_int_equal(capsule.ptr[k], parties_byte(byte++));
	}
	close(fd);
}

static void expect_end(struct span bytes, enum err_kind kind)
{
	int fd = connect_raw();

	assert_int_equal(send(fd, bytes.ptr, bytes.len, 0), (ssize_t)bytes.len);
	parties_until(server_over);
	assert_int_equal(server.why.kind, kind);
	carrier_close(server.carrier);
	buf_finish(&server.seen);
	server = fresh_end();
	close(fd);
}

static void what_is_too_long_or_refused_ends_it(void **state)
{
	cleanup(buf_finish) struct buf refused = BUF_INIT(100);
	uint8_t head[CAPSULE_HEAD_MAX];

	(void)state;
	expect_end(span_of(head, capsule_put_head(CARRIER_DATAGRAM, 65528, head)), ERR_LIMIT);
	expect_end(span_of(head, capsule_put_head(TYPE_OURS, CARRIER_VALUE_MAX + 1, head)),
		   ERR_LIMIT);
	assert_true(capsule_append(&refused, TYPE_REFUSED, span_of_str("x")));
	expect_end(buf_span(&refused), ERR_DENIED);
}

static bool pinged_twice(void)
{
	return server.capsules >= 2;
}

static bool client_over(void)
{
	return client.is_over;
}

static void an_idle_carrier_asks_whether_anybody_is_there(void **state)
{
	(void)state;
	connect_both(20 * NSEC_PER_MSEC, NSEC_PER_SEC);
	parties_until(pinged_twice);
	assert_false(client.is_over);
	/* PONGs are not the owner's. */
	assert_int_equal(client.capsules, 0);
}

static void silence_after_a_question_is_the_end(void **state)
{
	struct talker talker;
	struct carrier_config config = {
		.dial = { .loop = &parties_loop,
			  .host = "127.0.0.1",
			  .path = "/",
			  .protocol = PROTOCOL },
		.keep_alive_ns = 3600 * NSEC_PER_SEC,
		.patience_ns = 50 * NSEC_PER_MSEC,
		.ops = &ops,
		.owner = &client,
	};

	(void)state;
	talker_open(&talker,
		    "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: " PROTOCOL "\r\n\r\n");
	config.dial.port = talker_port(&talker);
	client.carrier = carrier_dial(&config);
	while (!client.is_up)
		uv_run(&parties_loop, UV_RUN_ONCE);
	carrier_probe(client.carrier);
	parties_until(client_over);
	assert_int_equal(client.why.kind, ERR_TIMEOUT);
	talker_close(&talker);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(batches_come_as_runs_of_equal_datagrams),
		TEST(sizes_and_order_stay_whatever_comes_between),
		TEST(bytes_may_come_one_at_a_time),
		TEST(who_does_not_read_blocks_and_loses_nothing),
		TEST(what_is_too_long_or_refused_ends_it),
		TEST(an_idle_carrier_asks_whether_anybody_is_there),
		TEST(silence_after_a_question_is_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
