/* SPDX-License-Identifier: MIT */
/* Where the job listens for the client, and channels that the server opens. */
#include "tests/unit/unit.h"

#include "tests/unit/ssh_peer.h"

DEFINE_CLEANUP_VALUE(struct peer, peer_finish)

static void start(struct peer *p)
{
	peer_init(p, &PEER_DEFAULT);
	peer_skip_to(p, STATE_OPEN);
}

static void forward(struct peer *p, const char *address, unsigned int port)
{
	peer_put(p, MSG_GLOBAL_REQUEST, "tbtu", "tcpip-forward", 1, address, port);
}

static void cancel(struct peer *p, const char *address, unsigned int port)
{
	peer_put(p, MSG_GLOBAL_REQUEST, "tbtu", "cancel-tcpip-forward", 1, address, port);
}

static void keepalive(struct peer *p)
{
	peer_put(p, MSG_GLOBAL_REQUEST, "tb", "keepalive@openssh.com", 1);
}

static bool is_silent(struct peer *p)
{
	uint8_t number;
	struct wire r;

	return !peer_next(p, &number, &r);
}

static void a_forward_is_answered_and_tells_a_port_that_was_chosen(void **state)
{
	cleanup(peer_finish) struct peer p;
	struct wire r;

	(void)state;
	start(&p);
	forward(&p, "localhost", 0);
	r = peer_expect(&p, MSG_REQUEST_SUCCESS);
	assert_int_equal(wire_u32(&r), PEER_PORT);
	assert_true(wire_end(&r));
	assert_int_equal(p.seen.listener_type, SSH_LISTENER_TCP);
	assert_string_equal(p.seen.target, "localhost");
	forward(&p, "", 8080);
	r = peer_expect(&p, MSG_REQUEST_SUCCESS);
	assert_true(wire_end(&r));
	assert_string_equal(p.seen.target, "");
	assert_int_equal(p.seen.listener_port, 8080);
	p.seen.on_listen = LISTENS_NOT;
	forward(&p, "localhost", 22);
	peer_expect(&p, MSG_REQUEST_FAILURE);
	/* Nobody wants to hear of it. */
	p.seen.on_listen = LISTENS;
	peer_put(&p, MSG_GLOBAL_REQUEST, "tbtu", "tcpip-forward", 0, "localhost", 9000u);
	assert_int_equal(p.seen.listens, 4);
	assert_true(is_silent(&p));
}

static void a_path_is_listened_on_as_well(void **state)
{
	cleanup(peer_finish) struct peer p;
	struct wire r;

	(void)state;
	start(&p);
	peer_put(&p, MSG_GLOBAL_REQUEST, "tbt", "streamlocal-forward@openssh.com", 1, "/tmp/s");
	peer_expect(&p, MSG_REQUEST_SUCCESS);
	assert_int_equal(p.seen.listener_type, SSH_LISTENER_UNIX);
	assert_string_equal(p.seen.target, "/tmp/s");
	p.seen.channels[0] = ssh_listener_open(p.seen.listeners[0], "", 0);
	r = peer_expect(&p, MSG_CHANNEL_OPEN);
	assert_true(span_equal_str(wire_string(&r, 64), "forwarded-streamlocal@openssh.com"));
	wire_u32(&r);
	wire_u32(&r);
	wire_u32(&r);
	assert_true(span_equal_str(wire_string(&r, 64), "/tmp/s"));
	assert_int_equal(wire_string(&r, 64).len, 0);
	assert_true(wire_end(&r));
	peer_put(&p, MSG_GLOBAL_REQUEST, "tbt", "cancel-streamlocal-forward@openssh.com", 1,
		 "/tmp/other");
	peer_expect(&p, MSG_REQUEST_FAILURE);
	peer_put(&p, MSG_GLOBAL_REQUEST, "tbt", "cancel-streamlocal-forward@openssh.com", 1,
		 "/tmp/s");
	peer_expect(&p, MSG_REQUEST_SUCCESS);
	assert_int_equal(p.seen.unlistens, 1);
	/* A path that is none. */
	peer_put(&p, MSG_GLOBAL_REQUEST, "tbt", "streamlocal-forward@openssh.com", 1, "");
	peer_expect(&p, MSG_REQUEST_FAILURE);
}

static void a_forward_is_cancelled_by_the_port_that_it_got(void **state)
{
	cleanup(peer_finish) struct peer p;

	(void)state;
	start(&p);
	forward(&p, "localhost", 0);
	peer_expect(&p, MSG_REQUEST_SUCCESS);
	cancel(&p, "localhost", 0);
	peer_expect(&p, MSG_REQUEST_FAILURE);
	cancel(&p, "127.0.0.1", PEER_PORT);
	peer_expect(&p, MSG_REQUEST_FAILURE);
	cancel(&p, "localhost", PEER_PORT);
	peer_expect(&p, MSG_REQUEST_SUCCESS);
	assert_int_equal(p.seen.unlistens, 1);
	cancel(&p, "localhost", PEER_PORT);
	peer_expect(&p, MSG_REQUEST_FAILURE);
}

static void answers_keep_the_order_of_requests(void **state)
{
	cleanup(peer_finish) struct peer p;

	(void)state;
	start(&p);
	p.seen.on_listen = LISTENS_LATER;
	forward(&p, "localhost", 0);
	forward(&p, "localhost", 7);
	assert_true(is_silent(&p));
	/* A client that asks whether we live is told so, though the answer has to wait. */
	for (int i = 0; i < 3; i++) {
		keepalive(&p);
		peer_expect(&p, MSG_IGNORE);
	}
	peer_put(&p, MSG_GLOBAL_REQUEST, "tb", "no-more-sessions@openssh.com", 1);
	peer_expect(&p, MSG_IGNORE);
	ssh_listener_started(p.seen.listeners[1], true, 7);
	assert_true(is_silent(&p));
	ssh_listener_started(p.seen.listeners[0], true, 1234);
	assert_int_equal(peer_expect(&p, MSG_REQUEST_SUCCESS).left.len, 4);
	assert_int_equal(peer_expect(&p, MSG_REQUEST_SUCCESS).left.len, 0);
	for (int i = 0; i < 3; i++)
		peer_expect(&p, MSG_REQUEST_FAILURE);
	peer_expect(&p, MSG_REQUEST_SUCCESS);
	assert_true(is_silent(&p));
	keepalive(&p);
	peer_expect(&p, MSG_REQUEST_FAILURE);
}

static void a_client_may_ask_for_hours_whether_we_live(void **state)
{
	cleanup(peer_finish) struct peer p;

	(void)state;
	start(&p);
	p.seen.on_listen = LISTENS_LATER;
	forward(&p, "localhost", 0);
	for (int i = 0; i < 10000; i++) {
		keepalive(&p);
		peer_expect(&p, MSG_IGNORE);
	}
	ssh_listener_started(p.seen.listeners[0], false, 0);
	for (int i = 0; i < 10001; i++)
		peer_expect(&p, MSG_REQUEST_FAILURE);
}

static void a_forward_that_is_cancelled_before_its_answer_never_was(void **state)
{
	cleanup(peer_finish) struct peer p;

	(void)state;
	start(&p);
	p.seen.on_listen = LISTENS_LATER;
	forward(&p, "localhost", 7);
	cancel(&p, "localhost", 7);
	peer_expect(&p, MSG_REQUEST_FAILURE);
	peer_expect(&p, MSG_REQUEST_SUCCESS);
	assert_int_equal(p.seen.unlistens, 1);
	assert_null(p.seen.listeners[0]);
}

static void so_many_listeners_and_no_more(void **state)
{
	cleanup(peer_finish) struct peer p;

	(void)state;
	start(&p);
	for (unsigned int port = 1; port <= LISTENERS_MAX; port++) {
		forward(&p, "localhost", port);
		peer_expect(&p, MSG_REQUEST_SUCCESS);
	}
	forward(&p, "localhost", LISTENERS_MAX + 1);
	peer_expect(&p, MSG_REQUEST_FAILURE);
	cancel(&p, "localhost", 1);
	peer_expect(&p, MSG_REQUEST_SUCCESS);
	forward(&p, "localhost", LISTENERS_MAX + 1);
	peer_expect(&p, MSG_REQUEST_SUCCESS);
}

static void too_many_answers_that_wait_end_the_connection(void **state)
{
	cleanup(peer_finish) struct peer p;

	(void)state;
	start(&p);
	p.seen.on_listen = LISTENS_LATER;
	forward(&p, "localhost", 1);
	for (int i = 0; i < GLOBAL_REPLIES_MAX - 1; i++) {
		peer_put(&p, MSG_GLOBAL_REQUEST, "tb", "no-more-sessions@openssh.com", 1);
		peer_expect(&p, MSG_IGNORE);
	}
	peer_put(&p, MSG_GLOBAL_REQUEST, "tb", "no-more-sessions@openssh.com", 1);
	assert_true(peer_ended(&p, "too many requests at once"));
}

static void what_is_malformed_ends_the_connection(void **state)
{
	static const struct {
		const char *name, *format;
	} samples[] = {
		{ "tcpip-forward", "tb" },
		{ "tcpip-forward", "tbt" },
		{ "cancel-tcpip-forward", "tbtuu" },
		{ "streamlocal-forward@openssh.com", "tb" },
		{ "cancel-streamlocal-forward@openssh.com", "tbtu" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		cleanup(peer_finish) struct peer p;

		start(&p);
		peer_put(&p, MSG_GLOBAL_REQUEST, samples[i].format, samples[i].name, 1, "x", 7u,
			 7u);
		assert_true(peer_ended(&p, "malformed GLOBAL_REQUEST"));
		assert_int_equal(p.seen.listens, 0);
	}
}

static void a_port_that_cannot_be_is_refused(void **state)
{
	cleanup(peer_finish) struct peer p;

	(void)state;
	start(&p);
	forward(&p, "localhost", 65536);
	peer_expect(&p, MSG_REQUEST_FAILURE);
	assert_int_equal(p.seen.listens, 0);
}

/* Channels that the server opens */

/* Lets the server open one; returns its number. */
static uint32_t server_opens(struct peer *p)
{
	struct wire r;
	uint32_t id;

	p->seen.channels[0] = ssh_listener_open(p->seen.listeners[0], "10.1.2.3", 40000);
	assert_non_null(p->seen.channels[0]);
	r = peer_expect(p, MSG_CHANNEL_OPEN);
	assert_true(span_equal_str(wire_string(&r, 64), "forwarded-tcpip"));
	id = wire_u32(&r);
	assert_true(wire_u32(&r) >= CHANNEL_WINDOW_SMALL);
	assert_int_equal(wire_u32(&r), CHANNEL_DATA_MAX);
	assert_true(span_equal_str(wire_string(&r, 64), "localhost"));
	assert_int_equal(wire_u32(&r), PEER_PORT);
	assert_true(span_equal_str(wire_string(&r, 64), "10.1.2.3"));
	assert_int_equal(wire_u32(&r), 40000);
	assert_true(wire_end(&r));
	return id;
}

static void start_listening(struct peer *p)
{
	start(p);
	forward(p, "localhost", 0);
	peer_expect(p, MSG_REQUEST_SUCCESS);
}

static void a_channel_of_ours_carries_bytes_both_ways(void **state)
{
	cleanup(peer_finish) struct peer p;
	struct ssh_channel *c;
	struct wire r;
	uint32_t id;

	(void)state;
	start_listening(&p);
	id = server_opens(&p);
	c = p.seen.channels[0];
	assert_int_equal(ssh_channel_room(c), 0);
	peer_put(&p, MSG_CHANNEL_OPEN_CONFIRMATION, "uuuu", id, 99u, 1000u, 500u);
	assert_int_equal(p.seen.openings, 1);
	assert_int_equal(ssh_channel_room(c), 1000);
	ssh_channel_write(c, SSH_STDOUT, span_of_str("to the client"));
	r = peer_expect(&p, MSG_CHANNEL_DATA);
	assert_int_equal(wire_u32(&r), 99);
	assert_true(span_equal_str(wire_string(&r, 64), "to the client"));
	peer_put(&p, MSG_CHANNEL_DATA, "ut", id, "back");
	assert_string_equal(buf_str(&p.seen.input), "back");
	ssh_channel_eof(c);
	peer_expect(&p, MSG_CHANNEL_EOF);
	peer_put(&p, MSG_CHANNEL_EOF, "u", id);
	ssh_channel_close(c);
	peer_expect(&p, MSG_CHANNEL_CLOSE);
	peer_put(&p, MSG_CHANNEL_CLOSE, "u", id);
	assert_int_equal(p.seen.closed, 1);
	assert_int_equal(p.server->opening_len, 0);
}

static void a_client_may_refuse_a_channel(void **state)
{
	cleanup(peer_finish) struct peer p;
	uint32_t id;

	(void)state;
	start_listening(&p);
	id = server_opens(&p);
	peer_put(&p, MSG_CHANNEL_OPEN_FAILURE, "uutt", id, 1u, "no", "");
	assert_int_equal(p.seen.openings_refused, 1);
	assert_int_equal(p.seen.closed, 0);
	assert_int_equal(p.server->opening_len, 0);
	/* Its number is free again. */
	assert_int_equal(server_opens(&p), id);
}

static void an_answer_to_nothing_ends_the_connection(void **state)
{
	static const char *const formats[] = { "uuuu", "uutt" };

	(void)state;
	for (uint8_t i = 0; i < 2; i++) {
		uint8_t number = MSG_CHANNEL_OPEN_CONFIRMATION + i;
		cleanup(peer_finish) struct peer session, twice, none;

		/* One that the client opened; one that was answered; one that there is not. */
		start(&session);
		peer_open_session(&session, 5);
		peer_put(&session, number, "u", 0u);
		assert_true(peer_ended(&session, "which is not being opened"));
		start_listening(&twice);
		server_opens(&twice);
		peer_put(&twice, MSG_CHANNEL_OPEN_CONFIRMATION, "uuuu", 0u, 9u, 1u, 4096u);
		peer_put(&twice, number, formats[i], 0u, 9u, "", "");
		assert_true(peer_ended(&twice, "which is not being opened"));
		start(&none);
		peer_put(&none, number, "uuuu", 77u, 9u, 1u, 4096u);
		assert_true(peer_ended(&none, "channel 77, which is not being opened"));
	}
}

static void a_channel_is_not_used_before_it_is_open(void **state)
{
	static const uint8_t numbers[] = { MSG_CHANNEL_DATA, MSG_CHANNEL_EOF, MSG_CHANNEL_CLOSE,
					   MSG_CHANNEL_REQUEST, MSG_CHANNEL_WINDOW_ADJUST };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		cleanup(peer_finish) struct peer p;

		start_listening(&p);
		peer_put(&p, numbers[i], "ut", server_opens(&p), "x");
		assert_true(peer_ended(&p, "which is not open"));
	}
}

static void a_client_that_never_answers_is_asked_for_so_much_and_no_more(void **state)
{
	cleanup(peer_finish) struct peer p;

	(void)state;
	start_listening(&p);
	for (int i = 0; i < CHANNELS_OPENING_MAX; i++)
		server_opens(&p);
	assert_null(ssh_listener_open(p.seen.listeners[0], "", 0));
	peer_put(&p, MSG_CHANNEL_OPEN_FAILURE, "uutt", 7u, 1u, "no", "");
	server_opens(&p);
}

static void a_session_that_asks_has_an_agent_and_all_have_the_same(void **state)
{
	static const char *const names[] = { "auth-agent-req@openssh.com", "agent-req" };
	static const char *const types[] = { "auth-agent@openssh.com", "agent-connect" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		cleanup(peer_finish) struct peer p;
		struct wire r;

		start(&p);
		peer_open_session(&p, 5);
		peer_open_session(&p, 6);
		peer_put(&p, MSG_CHANNEL_REQUEST, "utb", 0u, names[i], 1);
		peer_expect(&p, MSG_CHANNEL_SUCCESS);
		assert_int_equal(p.seen.listener_type, SSH_LISTENER_AGENT);
		peer_put(&p, MSG_CHANNEL_REQUEST, "utb", 1u, names[i], 1);
		peer_expect(&p, MSG_CHANNEL_SUCCESS);
		assert_int_equal(p.seen.listens, 1);
		peer_put(&p, MSG_CHANNEL_REQUEST, "utb", 0u, "shell", 1);
		assert_true(p.seen.start->wants_agent);
		peer_expect(&p, MSG_CHANNEL_SUCCESS);
		assert_non_null(ssh_listener_open(p.seen.listeners[0], "", 0));
		r = peer_expect(&p, MSG_CHANNEL_OPEN);
		assert_true(span_equal_str(wire_string(&r, 64), types[i]));
		assert_int_equal(r.left.len, 12);
		/* The session ends, the agent stays. */
		peer_put(&p, MSG_CHANNEL_CLOSE, "u", 0u);
		assert_int_equal(p.seen.unlistens, 0);
	}
}

static void an_agent_that_could_not_be_is_tried_again(void **state)
{
	cleanup(peer_finish) struct peer p;

	(void)state;
	start(&p);
	peer_open_session(&p, 5);
	p.seen.on_listen = LISTENS_NOT;
	peer_put(&p, MSG_CHANNEL_REQUEST, "utb", 0u, "auth-agent-req@openssh.com", 0);
	assert_int_equal(p.seen.listens, 1);
	p.seen.on_listen = LISTENS;
	peer_put(&p, MSG_CHANNEL_REQUEST, "utb", 0u, "auth-agent-req@openssh.com", 0);
	assert_int_equal(p.seen.listens, 2);
	assert_true(is_silent(&p));
}

static void five_thousand_channels_live_at_once_on_one_connection(void **state)
{
	enum { COUNT = 5000 };
	cleanup(peer_finish) struct peer p;

	(void)state;
	start(&p);
	for (uint32_t i = 0; i < COUNT; i++) {
		peer_put(&p, MSG_CHANNEL_OPEN, "tuuututu", "direct-tcpip", i + 7, 2097152u, 32768u,
			 "localhost", 80u, "127.0.0.1", 1000u);
		struct wire r = peer_expect(&p, MSG_CHANNEL_OPEN_CONFIRMATION);

		assert_int_equal(wire_u32(&r), i + 7);
		assert_int_equal(wire_u32(&r), i);
	}
	assert_int_equal(p.seen.opened, COUNT);
	/* Each is its own: the last and the first speak, and what all may send is bounded. */
	peer_put(&p, MSG_CHANNEL_DATA, "ut", COUNT - 1u, "last");
	peer_put(&p, MSG_CHANNEL_DATA, "ut", 0u, "first");
	assert_string_equal(buf_str(&p.seen.input), "lastfirst");
	assert_true(p.server->windows <=
		    CHANNEL_WINDOW_BUDGET + (uint64_t)COUNT * CHANNEL_WINDOW_SMALL);
	for (uint32_t i = 0; i < COUNT; i++) {
		peer_put(&p, MSG_CHANNEL_CLOSE, "u", i);
		peer_expect(&p, MSG_CHANNEL_CLOSE);
	}
	assert_int_equal(p.seen.closed, COUNT);
	assert_int_equal(p.server->windows, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_forward_is_answered_and_tells_a_port_that_was_chosen),
		cmocka_unit_test(a_path_is_listened_on_as_well),
		cmocka_unit_test(a_forward_is_cancelled_by_the_port_that_it_got),
		cmocka_unit_test(answers_keep_the_order_of_requests),
		cmocka_unit_test(a_client_may_ask_for_hours_whether_we_live),
		cmocka_unit_test(a_forward_that_is_cancelled_before_its_answer_never_was),
		cmocka_unit_test(so_many_listeners_and_no_more),
		cmocka_unit_test(too_many_answers_that_wait_end_the_connection),
		cmocka_unit_test(what_is_malformed_ends_the_connection),
		cmocka_unit_test(a_port_that_cannot_be_is_refused),
		cmocka_unit_test(a_channel_of_ours_carries_bytes_both_ways),
		cmocka_unit_test(a_client_may_refuse_a_channel),
		cmocka_unit_test(an_answer_to_nothing_ends_the_connection),
		cmocka_unit_test(a_channel_is_not_used_before_it_is_open),
		cmocka_unit_test(a_client_that_never_answers_is_asked_for_so_much_and_no_more),
		cmocka_unit_test(a_session_that_asks_has_an_agent_and_all_have_the_same),
		cmocka_unit_test(an_agent_that_could_not_be_is_tried_again),
		cmocka_unit_test(five_thousand_channels_live_at_once_on_one_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
