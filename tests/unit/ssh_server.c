/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "tests/unit/ssh_peer.h"

DEFINE_CLEANUP_VALUE(struct peer, peer_finish)

static int input_text(struct peer *p, const char *s)
{
	return ssh_server_input(p->server, span_of_str(s), &p->err);
}

static void the_server_speaks_first_and_with_one_flight(void **state)
{
	cleanup(peer_finish) struct peer p;
	struct span out;

	(void)state;
	peer_init(&p, &PEER_DEFAULT);
	out = ssh_server_output(p.server);
	assert_true(out.len > 28 + 6);
	assert_memory_equal(out.ptr, "SSH-2.0-OpenSSH_10.0-berth\r\n", 28);
	assert_int_equal(out.ptr[28 + 5], MSG_KEXINIT);
	assert_int_equal(p.seen.writes, 0);
	assert_true(ssh_server_wants_input(p.server));
	assert_null(ssh_server_ended(p.server));
}

static void a_version_may_come_in_pieces_and_without_cr(void **state)
{
	(void)state;
	for (size_t at = 0; at < 12; at++) {
		cleanup(peer_finish) struct peer p;
		const char *line = "SSH-2.0-x y\n";

		peer_init(&p, &PEER_DEFAULT);
		assert_int_equal(ssh_server_input(p.server, span_of(line, at), NULL), 0);
		assert_int_equal(input_text(&p, line + at), 0);
		assert_int_equal(p.server->state, STATE_KEXINIT);
		assert_string_equal(buf_str(&p.server->kex.client_version), "SSH-2.0-x y");
	}
}

static void other_versions_and_long_lines_end_the_connection(void **state)
{
	static const struct {
		const char *line, *words;
	} cases[] = {
		{ "SSH-1.5-old\r\n", "does not speak SSH 2" },
		{ "GET / HTTP/1.1\r\n", "does not speak SSH 2" },
		{ "\n", "does not speak SSH 2" },
		{ "SSH-2.0", NULL },
	};
	char flood[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup(peer_finish) struct peer p;

		peer_init(&p, &PEER_DEFAULT);
		p.over = input_text(&p, cases[i].line) < 0;
		assert_true(cases[i].words ? peer_ended(&p, cases[i].words) : !p.over);
	}
	memset(flood, 'x', sizeof(flood));
	for (int i = 0; i < 2; i++) {
		cleanup(peer_finish) struct peer p;

		flood[sizeof(flood) - 2] = i ? '\n' : 'x';
		flood[sizeof(flood) - 1] = '\0';
		peer_init(&p, &PEER_DEFAULT);
		p.over = input_text(&p, flood) < 0;
		assert_true(peer_ended(&p, "version line is too long"));
	}
	{
		cleanup(peer_finish) struct peer p;

		peer_init(&p, &PEER_DEFAULT);
		assert_int_equal(input_text(&p, "SSH-1.99-both\r\n"), 0);
	}
}

static void after_the_end_nothing_is_read_or_sent(void **state)
{
	cleanup(peer_finish) struct peer p;
	struct ssh_channel *c;
	uint32_t id;

	(void)state;
	peer_init(&p, &PEER_DEFAULT);
	peer_handshake(&p);
	id = peer_open_session(&p, 0);
	c = p.seen.channels[0];
	ssh_server_disconnect(p.server, "job 7 ended: COMPLETED");
	assert_false(ssh_server_wants_input(p.server));
	assert_string_equal(ssh_server_ended(p.server)->text, "job 7 ended: COMPLETED");
	ssh_channel_write(c, SSH_STDOUT, span_of_str("too late"));
	ssh_channel_exit_status(c, 0);
	ssh_channel_close(c);
	assert_int_equal(ssh_channel_room(c), 0);
	peer_put(&p, MSG_CHANNEL_REQUEST, "utb", id, "shell", 1);
	assert_int_equal(p.seen.starts, 0);
	assert_true(p.over);
	assert_true(peer_ended(&p, "job 7 ended"));
	assert_int_equal(ssh_server_output(p.server).len, 0);
}

static void goodbye_is_no_error_and_is_not_answered(void **state)
{
	cleanup(peer_finish) struct peer p;

	(void)state;
	peer_init(&p, &PEER_DEFAULT);
	peer_handshake(&p);
	peer_put(&p, MSG_DISCONNECT, "utt", 11u, "disconnected by \x1b[31muser", "");
	assert_true(p.over);
	assert_int_equal(p.err.kind, ERR_NONE);
	/* What the client said does not reach a terminal as it is. */
	assert_non_null(strstr(p.err.text, "by ?[31muser"));
	assert_int_equal(ssh_server_output(p.server).len, 0);
}

static void freeing_closes_every_channel(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p, &PEER_DEFAULT);
	peer_handshake(&p);
	for (uint32_t i = 0; i < 5; i++)
		peer_open_session(&p, i);
	p.seen.on_open = WAIT;
	peer_put(&p, MSG_CHANNEL_OPEN, "tuuu", "session", 7u, 100u, 32768u);
	p.server = ssh_server_free(p.server);
	assert_null(p.server);
	assert_int_equal(p.seen.closed, 6);
	peer_finish(&p);
}

static void wants_write_is_told_once_until_the_output_is_taken(void **state)
{
	cleanup(peer_finish) struct peer p;

	(void)state;
	peer_init(&p, &PEER_DEFAULT);
	peer_handshake(&p);
	p.seen.writes = 0;
	for (int i = 0; i < 3; i++)
		peer_put(&p, MSG_GLOBAL_REQUEST, "tb", "keepalive@openssh.com", 1);
	assert_int_equal(p.seen.writes, 1);
	ssh_server_output_taken(p.server, ssh_server_output(p.server).len);
	peer_put(&p, MSG_GLOBAL_REQUEST, "tb", "keepalive@openssh.com", 1);
	assert_int_equal(p.seen.writes, 2);
}

static void a_client_that_only_asks_is_not_read_any_more(void **state)
{
	cleanup(peer_finish) struct peer p;
	size_t asked = 0;

	(void)state;
	peer_init(&p, &PEER_DEFAULT);
	peer_handshake(&p);
	while (ssh_server_wants_input(p.server)) {
		for (int i = 0; i < 1000; i++, asked++)
			peer_queue(&p, MSG_GLOBAL_REQUEST, "tb", "x", 1);
		peer_flush(&p);
		assert_false(p.over);
	}
	assert_true(ssh_server_output(p.server).len < 5 * 1024 * 1024);
	for (size_t i = 0; i < asked; i++)
		peer_expect(&p, MSG_REQUEST_FAILURE);
	assert_true(ssh_server_wants_input(p.server));
}

static void a_client_that_never_reads_is_ended(void **state)
{
	cleanup(peer_finish) struct peer p;

	(void)state;
	peer_init(&p, &PEER_DEFAULT);
	peer_handshake(&p);
	while (!p.over) {
		for (int i = 0; i < 10000; i++)
			peer_queue(&p, MSG_GLOBAL_REQUEST, "tb", "x", 1);
		peer_flush(&p);
	}
	assert_int_equal(p.err.kind, ERR_LIMIT);
	assert_non_null(strstr(p.err.text, "reads too slowly"));
	assert_true(ssh_server_output(p.server).len <= OUTPUT_MAX);
}

static void authentication_is_none_and_nothing_else(void **state)
{
	cleanup(peer_finish) struct peer p;
	struct wire r;

	(void)state;
	peer_init(&p, &PEER_DEFAULT);
	peer_skip_to(&p, STATE_AUTH);
	peer_put(&p, MSG_USERAUTH_REQUEST, "tttbt", "u", "ssh-connection", "password", 0, "secret");
	r = peer_expect(&p, MSG_USERAUTH_FAILURE);
	assert_int_equal(wire_string(&r, 100).len, 0);
	assert_false(wire_bool(&r));
	peer_put(&p, MSG_USERAUTH_REQUEST, "ttt", "u", "ssh-connection", "none");
	peer_expect(&p, MSG_USERAUTH_SUCCESS);
	/* Later requests are ignored. */
	peer_put(&p, MSG_USERAUTH_REQUEST, "ttt", "root", "ssh-connection", "none");
	assert_int_equal(ssh_server_output(p.server).len, 0);
	assert_false(p.over);
}

static void guessing_passwords_ends_the_connection(void **state)
{
	cleanup(peer_finish) struct peer p;

	(void)state;
	peer_init(&p, &PEER_DEFAULT);
	peer_skip_to(&p, STATE_AUTH);
	for (int i = 0; i < 100 && !p.over; i++)
		peer_put(&p, MSG_USERAUTH_REQUEST, "tttbt", "u", "ssh-connection", "password", 0,
			 "x");
	assert_true(peer_ended(&p, "too many authentication attempts"));
}

static void other_services_are_refused(void **state)
{
	cleanup(peer_finish) struct peer service, connection;

	(void)state;
	peer_init(&service, &PEER_DEFAULT);
	peer_skip_to(&service, STATE_SERVICE);
	peer_put(&service, MSG_SERVICE_REQUEST, "t", "ssh-connection");
	assert_true(peer_ended(&service, "ssh-userauth"));
	peer_init(&connection, &PEER_DEFAULT);
	peer_skip_to(&connection, STATE_AUTH);
	peer_put(&connection, MSG_USERAUTH_REQUEST, "ttt", "u", "shell", "none");
	assert_true(peer_ended(&connection, "ssh-connection"));
}

static void proposals_without_anything_in_common_say_what(void **state)
{
	static const struct {
		const char *exchange, *cipher, *words;
	} cases[] = {
		{ "diffie-hellman-group14-sha256", "aes128-gcm@openssh.com",
		  "no key exchange method in common; the client offers diffie-hellman" },
		{ "curve25519-sha256", "aes128-ctr,3des-cbc",
		  "no cipher in common; the client offers aes128-ctr,3des-cbc" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct peer_options o = PEER_DEFAULT;
		cleanup(peer_finish) struct peer p;

		o.exchange = cases[i].exchange;
		o.cipher = cases[i].cipher;
		peer_init(&p, &o);
		peer_send_version(&p);
		peer_send_kexinit(&p);
		assert_true(peer_ended(&p, cases[i].words));
		assert_int_equal(p.err.kind, ERR_UNSUPPORTED);
	}
}

static void data_in_small_pieces_goes_in_large_messages_and_in_order(void **state)
{
	cleanup(peer_finish) struct peer p;
	static uint8_t block[1000];
	struct ssh_channel *c;
	const struct {
		uint8_t number;
		size_t len;
	} expected[] = {
		{ MSG_CHANNEL_DATA, CHANNEL_DATA_MAX },
		{ MSG_CHANNEL_DATA, 40 * sizeof(block) - CHANNEL_DATA_MAX },
		{ MSG_CHANNEL_EXTENDED_DATA, sizeof(block) },
		{ MSG_CHANNEL_DATA, sizeof(block) },
	};
	size_t writes;
	uint32_t id;
	struct wire r;

	(void)state;
	peer_init(&p, &PEER_DEFAULT);
	peer_skip_to(&p, STATE_OPEN);
	id = peer_open_session(&p, 5);
	c = p.seen.channels[0];
	writes = p.seen.writes;
	peer_put(&p, MSG_CHANNEL_WINDOW_ADJUST, "uu", id, 1u << 20);
	for (int i = 0; i < 40; i++)
		ssh_channel_write(c, SSH_STDOUT, span_of(block, sizeof(block)));
	assert_int_equal(p.seen.writes, writes + 1);
	ssh_channel_write(c, SSH_STDERR, span_of(block, sizeof(block)));
	ssh_channel_write(c, SSH_STDOUT, span_of(block, sizeof(block)));
	ssh_channel_eof(c);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		r = peer_expect(&p, expected[i].number);
		wire_u32(&r);
		if (expected[i].number == MSG_CHANNEL_EXTENDED_DATA)
			wire_u32(&r);
		assert_int_equal(wire_string(&r, CHANNEL_DATA_MAX).len, expected[i].len);
	}
	peer_expect(&p, MSG_CHANNEL_EOF);
	assert_int_equal(ssh_server_output(p.server).len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_server_speaks_first_and_with_one_flight),
		cmocka_unit_test(a_version_may_come_in_pieces_and_without_cr),
		cmocka_unit_test(other_versions_and_long_lines_end_the_connection),
		cmocka_unit_test(after_the_end_nothing_is_read_or_sent),
		cmocka_unit_test(goodbye_is_no_error_and_is_not_answered),
		cmocka_unit_test(freeing_closes_every_channel),
		cmocka_unit_test(wants_write_is_told_once_until_the_output_is_taken),
		cmocka_unit_test(a_client_that_only_asks_is_not_read_any_more),
		cmocka_unit_test(a_client_that_never_reads_is_ended),
		cmocka_unit_test(authentication_is_none_and_nothing_else),
		cmocka_unit_test(guessing_passwords_ends_the_connection),
		cmocka_unit_test(other_services_are_refused),
		cmocka_unit_test(proposals_without_anything_in_common_say_what),
		cmocka_unit_test(data_in_small_pieces_goes_in_large_messages_and_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
