/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "tests/unit/ssh_peer.h"

DEFINE_CLEANUP_VALUE(struct peer, peer_finish)

#define KIB 1024u
#define MIB (1024u * 1024)

static uint8_t block[CHANNEL_DATA_MAX];

/* A session of which the server knows what to run; returns its number. */
static uint32_t start_session(struct peer *p)
{
	uint32_t id;

	peer_init(p, &PEER_DEFAULT);
	peer_skip_to(p, STATE_OPEN);
	id = peer_open_session(p, 5);
	peer_put(p, MSG_CHANNEL_REQUEST, "utb", id, "shell", 0);
	assert_int_equal(p->seen.starts, 1);
	return id;
}

static void a_forward_names_its_target(void **state)
{
	static const struct {
		const char *host;
		uint32_t port;
		const char *target; /* NULL: refused */
	} cases[] = {
		{ "localhost", 80, "localhost:80" },
		{ "10.0.0.1", 65535, "10.0.0.1:65535" },
		{ "::1", 8888, "[::1]:8888" },
		{ "fe80::1%eth0", 22, "[fe80::1%eth0]:22" },
		{ "localhost", 0, NULL },
		{ "localhost", 65536, NULL },
		{ "", 80, NULL },
		{ "a b", 80, NULL },
		{ "evil/path", 80, NULL },
		{ "[::1]", 80, NULL },
		{ "user@host", 80, NULL },
		{ "caf\xc3\xa9", 80, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup(peer_finish) struct peer p;

		peer_init(&p, &PEER_DEFAULT);
		peer_skip_to(&p, STATE_OPEN);
		peer_put(&p, MSG_CHANNEL_OPEN, "tuuututu", "direct-tcpip", 3u, 100u, 1000u,
			 cases[i].host, cases[i].port, "127.0.0.1", 5555u);
		assert_false(p.over);
		assert_int_equal(p.seen.opened, cases[i].target ? 1 : 0);
		assert_string_equal(p.seen.target, cases[i].target ? cases[i].target : "");
		peer_expect(&p, cases[i].target ? MSG_CHANNEL_OPEN_CONFIRMATION
						: MSG_CHANNEL_OPEN_FAILURE);
	}
}

static void a_unix_forward_names_its_path(void **state)
{
	cleanup(peer_finish) struct peer p;

	(void)state;
	peer_init(&p, &PEER_DEFAULT);
	peer_skip_to(&p, STATE_OPEN);
	peer_put(&p, MSG_CHANNEL_OPEN, "tuuuttu", "direct-streamlocal@openssh.com", 3u, 100u, 1000u,
		 "/run/x.sock", "", 0u);
	assert_int_equal(p.seen.type, SSH_CHANNEL_UNIX);
	assert_string_equal(p.seen.target, "/run/x.sock");
	peer_expect(&p, MSG_CHANNEL_OPEN_CONFIRMATION);
}

static void a_refusal_carries_reason_and_text(void **state)
{
	static const struct {
		enum err_kind kind;
		uint32_t reason;
	} cases[] = { { ERR_DENIED, 1 },      { ERR_UNAVAILABLE, 2 }, { ERR_TIMEOUT, 2 },
		      { ERR_UNSUPPORTED, 3 }, { ERR_LIMIT, 4 },	      { ERR_SYSTEM, 2 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup(peer_finish) struct peer p;
		struct err why;
		struct wire r;

		peer_init(&p, &PEER_DEFAULT);
		peer_skip_to(&p, STATE_OPEN);
		p.seen.on_open = WAIT;
		peer_put(&p, MSG_CHANNEL_OPEN, "tuuu", "session", 77u, 0u, 1000u);
		assert_int_equal(ssh_server_output(p.server).len, 0);
		err_set(&why, cases[i].kind, "because");
		ssh_channel_refuse(p.seen.channels[0], &why);
		r = peer_expect(&p, MSG_CHANNEL_OPEN_FAILURE);
		assert_int_equal(wire_u32(&r), 77);
		assert_int_equal(wire_u32(&r), cases[i].reason);
		assert_true(span_equal_str(wire_string(&r, 100), "because"));
		assert_int_equal(p.seen.closed, 0);
	}
}

static void unknown_types_and_tiny_packets_are_refused(void **state)
{
	cleanup(peer_finish) struct peer p;
	struct wire r;

	(void)state;
	peer_init(&p, &PEER_DEFAULT);
	peer_skip_to(&p, STATE_OPEN);
	peer_put(&p, MSG_CHANNEL_OPEN, "tuuut", "x11", 1u, 100u, 1000u, "whatever");
	r = peer_expect(&p, MSG_CHANNEL_OPEN_FAILURE);
	assert_int_equal(wire_u32(&r), 1);
	assert_int_equal(wire_u32(&r), 3);
	peer_put(&p, MSG_CHANNEL_OPEN, "tuuu", "session", 2u, 100u, 255u);
	r = peer_expect(&p, MSG_CHANNEL_OPEN_FAILURE);
	assert_int_equal(wire_u32(&r), 2);
	assert_int_equal(wire_u32(&r), 4);
	assert_int_equal(p.seen.opened, 0);
}

static void a_channel_that_is_not_open_cannot_be_named(void **state)
{
	static const struct {
		uint8_t number;
		const char *format;
	} cases[] = { { 93, "uu" }, { 94, "ut" }, { 95, "uut" },
		      { 96, "u" },  { 97, "u" },  { 98, "utb" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (int there = 0; there < 2; there++) {
			cleanup(peer_finish) struct peer p;

			peer_init(&p, &PEER_DEFAULT);
			peer_skip_to(&p, STATE_OPEN);
			p.seen.on_open = WAIT;
			/* Asked for, but not accepted yet: the client cannot know its number. */
			if (there)
				peer_put(&p, MSG_CHANNEL_OPEN, "tuuu", "session", 7u, 100u, 1000u);
			peer_queue(&p, cases[i].number, "uuuuu", 0u, 0u, 0u, 0u, 0u);
			peer_flush(&p);
			assert_true(peer_ended(&p, "for channel 0, which is not open"));
		}
	}
}

static void data_goes_both_ways_and_ends(void **state)
{
	cleanup(peer_finish) struct peer p;
	uint32_t id = start_session(&p);
	struct ssh_channel *c = p.seen.channels[0];
	struct wire r;

	(void)state;
	peer_put(&p, MSG_CHANNEL_DATA, "ut", id, "hello");
	assert_string_equal(buf_str(&p.seen.input), "hello");
	ssh_channel_write(c, SSH_STDOUT, span_of_str("out"));
	ssh_channel_write(c, SSH_STDERR, span_of_str("err"));
	ssh_channel_eof(c);
	ssh_channel_exit_status(c, 258);
	ssh_channel_close(c);
	r = peer_expect(&p, MSG_CHANNEL_DATA);
	assert_int_equal(wire_u32(&r), 5);
	assert_true(span_equal_str(wire_string(&r, 10), "out"));
	assert_true(wire_end(&r));
	r = peer_expect(&p, MSG_CHANNEL_EXTENDED_DATA);
	assert_int_equal(wire_u32(&r), 5);
	assert_int_equal(wire_u32(&r), 1);
	assert_true(span_equal_str(wire_string(&r, 10), "err"));
	assert_true(wire_end(&r));
	peer_expect(&p, MSG_CHANNEL_EOF);
	r = peer_expect(&p, MSG_CHANNEL_REQUEST);
	wire_u32(&r);
	assert_true(span_equal_str(wire_string(&r, 20), "exit-status"));
	assert_false(wire_bool(&r));
	assert_int_equal(wire_u32(&r), 258);
	peer_expect(&p, MSG_CHANNEL_CLOSE);
	assert_int_equal(p.seen.closed, 0);
	peer_put(&p, MSG_CHANNEL_EOF, "u", id);
	peer_put(&p, MSG_CHANNEL_CLOSE, "u", id);
	assert_int_equal(p.seen.closed, 1);
	assert_int_equal(ssh_server_output(p.server).len, 0);
}

static void the_client_may_close_first(void **state)
{
	cleanup(peer_finish) struct peer p;
	uint32_t id = start_session(&p);

	(void)state;
	peer_put(&p, MSG_CHANNEL_CLOSE, "u", id);
	peer_expect(&p, MSG_CHANNEL_CLOSE);
	assert_int_equal(p.seen.closed, 1);
	/* The number is free again, and not before. */
	peer_put(&p, MSG_CHANNEL_DATA, "ut", id, "x");
	assert_true(peer_ended(&p, "which is not open"));
}

static void an_exit_by_signal_is_told(void **state)
{
	cleanup(peer_finish) struct peer p;
	struct wire r;

	(void)state;
	start_session(&p);
	ssh_channel_exit_signal(p.seen.channels[0], "SEGV", true);
	r = peer_expect(&p, MSG_CHANNEL_REQUEST);
	wire_u32(&r);
	assert_true(span_equal_str(wire_string(&r, 20), "exit-signal"));
	assert_false(wire_bool(&r));
	assert_true(span_equal_str(wire_string(&r, 20), "SEGV"));
	assert_true(wire_bool(&r));
	wire_string(&r, 20);
	wire_string(&r, 20);
	assert_true(wire_end(&r));
}

static void data_after_the_end_or_over_the_window_ends_the_connection(void **state)
{
	cleanup(peer_finish) struct peer eof, over, large;
	uint32_t id = start_session(&eof);
	static uint8_t too_large[CHANNEL_DATA_MAX + 1];

	(void)state;
	peer_put(&eof, MSG_CHANNEL_EOF, "u", id);
	assert_int_equal(eof.seen.eofs, 1);
	peer_put(&eof, MSG_CHANNEL_DATA, "ut", id, "x");
	assert_true(peer_ended(&eof, "data after its end"));
	id = start_session(&over);
	over.seen.keep_data = true;
	for (uint32_t sent = 0; sent < 2 * MIB; sent += sizeof(block))
		peer_put(&over, MSG_CHANNEL_DATA, "us", id, span_of(block, sizeof(block)));
	assert_false(over.over);
	assert_int_equal(over.seen.input_len, 2 * MIB);
	peer_put(&over, MSG_CHANNEL_DATA, "ut", id, "x");
	assert_true(peer_ended(&over, "more data than its window"));
	id = start_session(&large);
	peer_put(&large, MSG_CHANNEL_DATA, "us", id, span_of(too_large, sizeof(too_large)));
	assert_true(peer_ended(&large, "32769 bytes in one message"));
}

/* Sends as much as the server lets us; returns that, and whatever more it then grants. */
static uint32_t fill_window(struct peer *p, uint32_t id, uint32_t credit)
{
	uint32_t granted = 0;
	uint8_t number;
	struct wire r;

	while (credit > 0) {
		uint32_t len = MIN(credit, (uint32_t)sizeof(block));

		peer_put(p, MSG_CHANNEL_DATA, "us", id, span_of(block, len));
		credit -= len;
	}
	ssh_channel_consumed(p->seen.channels[0], p->seen.input_len);
	p->seen.input_len = 0;
	while (peer_next(p, &number, &r)) {
		assert_int_equal(number, MSG_CHANNEL_WINDOW_ADJUST);
		wire_u32(&r);
		granted += wire_u32(&r);
	}
	return granted;
}

static void the_window_opens_by_as_much_as_was_passed_on(void **state)
{
	cleanup(peer_finish) struct peer p;
	uint32_t id = start_session(&p), credit = 2 * MIB;

	(void)state;
	p.seen.keep_data = true;
	credit = fill_window(&p, id, credit);
	assert_int_equal(credit, 2 * MIB);
	credit = fill_window(&p, id, credit);
	assert_int_equal(credit, 2 * MIB);
	assert_false(p.over);
}

static void the_window_stays_when_data_is_passed_on_as_it_comes(void **state)
{
	cleanup(peer_finish) struct peer p;
	uint32_t id = start_session(&p);
	uint64_t sent = 0, granted = 2 * MIB;
	uint8_t number;
	struct wire r;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		peer_put(&p, MSG_CHANNEL_DATA, "us", id, span_of(block, sizeof(block)));
		sent += sizeof(block);
		while (peer_next(&p, &number, &r)) {
			assert_int_equal(number, MSG_CHANNEL_WINDOW_ADJUST);
			wire_u32(&r);
			granted += wire_u32(&r);
		}
		assert_true(granted - sent <= 2 * MIB);
		assert_true(granted - sent >= MIB);
	}
	assert_int_equal(p.server->windows, 2 * MIB);
}

static void the_clients_window_and_packet_size_are_honoured(void **state)
{
	cleanup(peer_finish) struct peer p;
	struct ssh_channel *c;
	struct wire r;

	(void)state;
	peer_init(&p, &PEER_DEFAULT);
	peer_skip_to(&p, STATE_OPEN);
	peer_put(&p, MSG_CHANNEL_OPEN, "tuuututu", "direct-tcpip", 3u, 1000u, 300u, "h", 1u, "o",
		 2u);
	peer_expect(&p, MSG_CHANNEL_OPEN_CONFIRMATION);
	c = p.seen.channels[0];
	assert_int_equal(ssh_channel_room(c), 1000);
	ssh_channel_write(c, SSH_STDOUT, span_of(block, 1000));
	for (int i = 0; i < 4; i++) {
		r = peer_expect(&p, MSG_CHANNEL_DATA);
		wire_u32(&r);
		assert_int_equal(wire_string(&r, 1000).len, i < 3 ? 300 : 100);
	}
	assert_int_equal(ssh_channel_room(c), 0);
	peer_put(&p, MSG_CHANNEL_WINDOW_ADJUST, "uu", 0u, 10u);
	assert_int_equal(p.seen.writables, 1);
	assert_int_equal(ssh_channel_room(c), 10);
}

static void a_window_beyond_its_range_ends_the_connection(void **state)
{
	cleanup(peer_finish) struct peer p;
	uint32_t id = start_session(&p);

	(void)state;
	peer_put(&p, MSG_CHANNEL_WINDOW_ADJUST, "uu", id, UINT32_MAX - 2 * MIB);
	assert_false(p.over);
	peer_put(&p, MSG_CHANNEL_WINDOW_ADJUST, "uu", id, 1u);
	assert_true(peer_ended(&p, "window larger than"));
}

static void output_that_waits_takes_the_room_of_all_and_they_are_told_in_turn(void **state)
{
	cleanup(peer_finish) struct peer p;
	uint32_t id = start_session(&p);
	struct ssh_channel *a = p.seen.channels[0], *b;

	(void)state;
	peer_open_session(&p, 6);
	b = p.seen.channels[1];
	peer_put(&p, MSG_CHANNEL_WINDOW_ADJUST, "uu", id, 100 * MIB);
	while (ssh_channel_room(a) > 0)
		ssh_channel_write(a, SSH_STDOUT,
				  span_of(block, MIN(sizeof(block), ssh_channel_room(a))));
	assert_int_equal(ssh_channel_room(b), 0);
	assert_in_range(ssh_server_output(p.server).len, MIB, MIB + 64 * KIB);
	ssh_server_output_taken(p.server, 400 * KIB);
	assert_int_equal(p.seen.writables, 0);
	ssh_server_output_taken(p.server, 200 * KIB);
	assert_int_equal(p.seen.writables, 2);
	assert_true(ssh_channel_room(a) > 0);
	assert_true(ssh_channel_room(b) > 0);
}

static void a_thousand_sessions_and_65535_channels_are_open_at_once(void **state)
{
	cleanup(peer_finish) struct peer p;
	uint8_t number;
	struct wire r;

	(void)state;
	peer_init(&p, &PEER_DEFAULT);
	peer_skip_to(&p, STATE_OPEN);
	for (uint32_t i = 0; i < CHANNELS_MAX; i++) {
		if (i < 1000)
			peer_queue(&p, MSG_CHANNEL_OPEN, "tuuu", "session", i, 100u, 1000u);
		else
			peer_queue(&p, MSG_CHANNEL_OPEN, "tuuututu", "direct-tcpip", i, 100u, 1000u,
				   "localhost", 80u, "", 0u);
	}
	peer_flush(&p);
	assert_false(p.over);
	for (uint32_t i = 0; i < CHANNELS_MAX; i++) {
		r = peer_expect(&p, MSG_CHANNEL_OPEN_CONFIRMATION);
		assert_int_equal(wire_u32(&r), i);
		assert_int_equal(wire_u32(&r), i);
	}
	/* All windows together stay in bounds. */
	assert_true(p.server->windows <=
		    CHANNEL_WINDOW_BUDGET + (uint64_t)CHANNELS_MAX * CHANNEL_WINDOW_SMALL);
	peer_put(&p, MSG_CHANNEL_OPEN, "tuuu", "session", 1u, 100u, 1000u);
	r = peer_expect(&p, MSG_CHANNEL_OPEN_FAILURE);
	wire_u32(&r);
	assert_int_equal(wire_u32(&r), 4);
	/* One closed makes room for one. */
	peer_put(&p, MSG_CHANNEL_CLOSE, "u", 4711u);
	peer_expect(&p, MSG_CHANNEL_CLOSE);
	peer_put(&p, MSG_CHANNEL_OPEN, "tuuu", "session", 1u, 100u, 1000u);
	r = peer_expect(&p, MSG_CHANNEL_OPEN_CONFIRMATION);
	wire_u32(&r);
	assert_int_equal(wire_u32(&r), 4711);
	assert_false(peer_next(&p, &number, &r));
}

static void extended_data_from_a_client_is_counted_and_dropped(void **state)
{
	cleanup(peer_finish) struct peer p;
	uint32_t id = start_session(&p);

	(void)state;
	for (int i = 0; i < 64; i++)
		peer_put(&p, MSG_CHANNEL_EXTENDED_DATA, "uus", id, 1u,
			 span_of(block, sizeof(block)));
	assert_false(p.over);
	assert_int_equal(p.seen.input_len, 0);
	peer_expect(&p, MSG_CHANNEL_WINDOW_ADJUST);
}

static void stopped_input_is_told_and_dropped(void **state)
{
	cleanup(peer_finish) struct peer p;
	uint32_t id = start_session(&p);
	struct wire r;

	(void)state;
	ssh_channel_stop_input(p.seen.channels[0]);
	ssh_channel_stop_input(p.seen.channels[0]);
	r = peer_expect(&p, MSG_CHANNEL_REQUEST);
	wire_u32(&r);
	assert_true(span_equal_str(wire_string(&r, 30), "eow@openssh.com"));
	for (int i = 0; i < 200; i++)
		peer_put(&p, MSG_CHANNEL_DATA, "us", id, span_of(block, sizeof(block)));
	assert_false(p.over);
	assert_int_equal(p.seen.input_len, 0);
}

static void after_our_close_what_comes_is_dropped(void **state)
{
	cleanup(peer_finish) struct peer p;
	uint32_t id = start_session(&p);

	(void)state;
	ssh_channel_close(p.seen.channels[0]);
	peer_expect(&p, MSG_CHANNEL_CLOSE);
	peer_put(&p, MSG_CHANNEL_DATA, "us", id, span_of(block, sizeof(block)));
	peer_put(&p, MSG_CHANNEL_WINDOW_ADJUST, "uu", id, 5u);
	peer_put(&p, MSG_CHANNEL_REQUEST, "utbt", id, "signal", 1, "TERM");
	peer_put(&p, MSG_CHANNEL_EOF, "u", id);
	assert_false(p.over);
	assert_int_equal(p.seen.input_len + p.seen.signals + p.seen.eofs, 0);
	assert_int_equal(ssh_server_output(p.server).len, 0);
	peer_put(&p, MSG_CHANNEL_CLOSE, "u", id);
	assert_int_equal(p.seen.closed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_forward_names_its_target),
		cmocka_unit_test(a_unix_forward_names_its_path),
		cmocka_unit_test(a_refusal_carries_reason_and_text),
		cmocka_unit_test(unknown_types_and_tiny_packets_are_refused),
		cmocka_unit_test(a_channel_that_is_not_open_cannot_be_named),
		cmocka_unit_test(data_goes_both_ways_and_ends),
		cmocka_unit_test(the_client_may_close_first),
		cmocka_unit_test(an_exit_by_signal_is_told),
		cmocka_unit_test(data_after_the_end_or_over_the_window_ends_the_connection),
		cmocka_unit_test(the_window_opens_by_as_much_as_was_passed_on),
		cmocka_unit_test(the_window_stays_when_data_is_passed_on_as_it_comes),
		cmocka_unit_test(the_clients_window_and_packet_size_are_honoured),
		cmocka_unit_test(a_window_beyond_its_range_ends_the_connection),
		cmocka_unit_test(output_that_waits_takes_the_room_of_all_and_they_are_told_in_turn),
		cmocka_unit_test(a_thousand_sessions_and_65535_channels_are_open_at_once),
		cmocka_unit_test(extended_data_from_a_client_is_counted_and_dropped),
		cmocka_unit_test(stopped_input_is_told_and_dropped),
		cmocka_unit_test(after_our_close_what_comes_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
