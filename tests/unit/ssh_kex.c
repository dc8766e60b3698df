/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "tests/unit/ssh_peer.h"
#include "tunnel/ssh/exchange.h"

DEFINE_CLEANUP_VALUE(struct peer, peer_finish)

/* One message there and back. */
static void assert_works(struct peer *p)
{
	peer_put(p, MSG_GLOBAL_REQUEST, "tb", "keepalive@openssh.com", 1);
	peer_expect(p, MSG_REQUEST_FAILURE);
}

static void every_method_works_with_every_cipher(void **state)
{
	(void)state;
	for (const struct exchange *x = exchanges; x->name; x++) {
		for (const struct cipher_kind *k = cipher_kinds; k->name; k++) {
			for (int strict = 0; strict < 2; strict++) {
				cleanup(peer_finish) struct peer p;
				struct peer_options o = { x->name, k->name, strict };

				peer_init(&p, &o);
				peer_handshake(&p);
				assert_works(&p);
				peer_rekey(&p);
				assert_works(&p);
			}
		}
	}
}

static void a_wrong_guess_is_ignored_and_a_right_one_is_used(void **state)
{
	struct peer_options wrong = PEER_DEFAULT, right = PEER_DEFAULT;

	(void)state;
	wrong.guess = "diffie-hellman-group14-sha256";
	right.exchange = "mlkem768x25519-sha256";
	right.right_guess = true;
	for (int i = 0; i < 2; i++) {
		cleanup(peer_finish) struct peer p;

		peer_init(&p, i ? &right : &wrong);
		peer_handshake(&p);
		assert_works(&p);
		peer_rekey(&p);
		assert_works(&p);
	}
}

static void strict_exchange_begins_with_kexinit(void **state)
{
	cleanup(peer_finish) struct peer p;

	(void)state;
	peer_init(&p, &PEER_DEFAULT);
	peer_send_version(&p);
	peer_put(&p, MSG_IGNORE, "t", "");
	assert_false(p.over);
	peer_send_kexinit(&p);
	assert_true(peer_ended(&p, "something came before KEXINIT"));
}

static void strict_exchange_takes_nothing_in_between(void **state)
{
	static const uint8_t extra[] = { MSG_IGNORE, MSG_DEBUG, MSG_UNIMPLEMENTED };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(extra); i++) {
		cleanup(peer_finish) struct peer p;

		peer_init(&p, &PEER_DEFAULT);
		peer_send_version(&p);
		peer_send_kexinit(&p);
		peer_put(&p, extra[i], "t", "");
		assert_true(peer_ended(&p, "not allowed in state KEX"));
	}
}

static void a_client_without_strict_exchange_may_send_ignore(void **state)
{
	struct peer_options o = PEER_DEFAULT;
	cleanup(peer_finish) struct peer p;

	(void)state;
	o.strict = false;
	peer_init(&p, &o);
	peer_send_version(&p);
	peer_put(&p, MSG_IGNORE, "t", "");
	peer_send_kexinit(&p);
	peer_put(&p, MSG_DEBUG, "btt", 0, "", "");
	peer_send_kex_init(&p);
	peer_finish_exchange(&p);
	peer_put(&p, MSG_SERVICE_REQUEST, "t", "ssh-userauth");
	peer_expect(&p, MSG_SERVICE_ACCEPT);
}

static void keys_may_be_changed_before_and_during_authentication(void **state)
{
	cleanup(peer_finish) struct peer p;

	(void)state;
	peer_init(&p, &PEER_DEFAULT);
	peer_send_version(&p);
	peer_rekey(&p);
	peer_rekey(&p);
	peer_put(&p, MSG_SERVICE_REQUEST, "t", "ssh-userauth");
	peer_expect(&p, MSG_SERVICE_ACCEPT);
	peer_rekey(&p);
	peer_put(&p, MSG_USERAUTH_REQUEST, "ttt", "u", "ssh-connection", "none");
	peer_expect(&p, MSG_USERAUTH_SUCCESS);
	peer_rekey(&p);
	assert_works(&p);
}

static void the_session_id_stays_that_of_the_first_exchange(void **state)
{
	cleanup(peer_finish) struct peer p;
	uint8_t id[SSH_SHA256_LEN];

	(void)state;
	peer_init(&p, &PEER_DEFAULT);
	peer_handshake(&p);
	memcpy(id, p.server->kex.session_id, sizeof(id));
	peer_rekey(&p);
	assert_memory_equal(p.server->kex.session_id, id, sizeof(id));
	assert_memory_equal(p.session_id, id, sizeof(id));
}

static void nothing_but_the_exchange_is_sent_during_it(void **state)
{
	cleanup(peer_finish) struct peer p;
	struct ssh_channel *c;
	uint32_t id;
	struct wire r;

	(void)state;
	peer_init(&p, &PEER_DEFAULT);
	peer_handshake(&p);
	id = peer_open_session(&p, 9);
	c = p.seen.channels[0];
	peer_put(&p, MSG_CHANNEL_REQUEST, "utb", id, "shell", 1);
	peer_expect(&p, MSG_CHANNEL_SUCCESS);
	peer_send_kexinit(&p);
	/* Whatever the owner does now waits for the new keys. */
	assert_int_equal(ssh_channel_room(c), 0);
	ssh_channel_write(c, SSH_STDOUT, span_of_str("late"));
	ssh_channel_exit_status(c, 3);
	ssh_channel_close(c);
	peer_send_kex_init(&p);
	peer_finish_exchange(&p);
	r = peer_expect(&p, MSG_CHANNEL_DATA);
	assert_int_equal(wire_u32(&r), 9);
	assert_true(span_equal_str(wire_string(&r, 10), "late"));
	peer_expect(&p, MSG_CHANNEL_REQUEST);
	peer_expect(&p, MSG_CHANNEL_CLOSE);
	assert_int_equal(p.seen.writables, 0);
}

static void a_channel_that_waited_for_new_keys_is_told(void **state)
{
	cleanup(peer_finish) struct peer p;

	(void)state;
	peer_init(&p, &PEER_DEFAULT);
	peer_handshake(&p);
	peer_open_session(&p, 0);
	peer_send_kexinit(&p);
	assert_int_equal(ssh_channel_room(p.seen.channels[0]), 0);
	peer_send_kex_init(&p);
	assert_int_equal(p.seen.writables, 0);
	peer_finish_exchange(&p);
	assert_int_equal(p.seen.writables, 1);
	assert_true(ssh_channel_room(p.seen.channels[0]) > 0);
}

static void the_server_asks_for_new_keys_at_its_limit(void **state)
{
	struct peer_options o = PEER_DEFAULT;
	cleanup(peer_finish) struct peer p;
	static uint8_t bytes[32768];
	uint32_t id;

	(void)state;
	o.rekey_bytes = 100000;
	peer_init(&p, &o);
	peer_handshake(&p);
	id = peer_open_session(&p, 0);
	peer_put(&p, MSG_CHANNEL_REQUEST, "utb", id, "shell", 0);
	for (int round = 0; round < 5; round++) {
		/* Alternately by what it sends and by what it gets. */
		while (!p.server->kex.announced) {
			if (round % 2)
				peer_put(&p, MSG_CHANNEL_DATA, "us", id,
					 span_of(bytes, sizeof(bytes)));
			else
				ssh_channel_write(p.seen.channels[0], SSH_STDOUT,
						  span_of(bytes, sizeof(bytes)));
			if (round % 2 == 0 && !p.server->kex.announced)
				peer_expect(&p, MSG_CHANNEL_DATA);
		}
		if (round % 2 == 0)
			peer_expect(&p, MSG_CHANNEL_DATA);
		/* Until its KEXINIT the client may go on. */
		peer_put(&p, MSG_CHANNEL_DATA, "us", id, span_of_str("still the old keys"));
		peer_rekey(&p);
		assert_false(p.over);
	}
}

static void values_of_the_wrong_length_or_order_end_the_connection(void **state)
{
	static uint8_t zero[1216];
	static const struct {
		const char *exchange;
		size_t len;
		const char *words;
	} cases[] = {
		{ "curve25519-sha256", 31, "X25519 value of 31 bytes" },
		{ "curve25519-sha256", 33, "X25519 value of 33 bytes" },
		{ "curve25519-sha256", 0, "X25519 value of 0 bytes" },
		/* The point of order 1: the shared secret would be zero. */
		{ "curve25519-sha256", 32, "X25519 value is not usable" },
		{ "mlkem768x25519-sha256", 1215, "value of 1215 bytes" },
		{ "mlkem768x25519-sha256", 32, "value of 32 bytes" },
		/* Zero is a valid ML-KEM key, and a point of order 1 behind it. */
		{ "mlkem768x25519-sha256", 1216, "X25519 value is not usable" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct peer_options o = PEER_DEFAULT;
		cleanup(peer_finish) struct peer p;

		o.exchange = cases[i].exchange;
		peer_init(&p, &o);
		peer_send_version(&p);
		peer_send_kexinit(&p);
		peer_put(&p, MSG_KEX_INIT, "s", span_of(zero, cases[i].len));
		assert_true(peer_ended(&p, cases[i].words));
	}
}

static void an_ml_kem_key_out_of_range_is_refused(void **state)
{
	struct peer_options o = PEER_DEFAULT;
	cleanup(peer_finish) struct peer p;
	static uint8_t value[1216];

	(void)state;
	memset(value, 0xff, sizeof(value));
	o.exchange = "mlkem768x25519-sha256";
	peer_init(&p, &o);
	peer_send_version(&p);
	peer_send_kexinit(&p);
	peer_put(&p, MSG_KEX_INIT, "s", span_of(value, sizeof(value)));
	assert_true(peer_ended(&p, "ML-KEM key is not valid"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_method_works_with_every_cipher),
		cmocka_unit_test(a_wrong_guess_is_ignored_and_a_right_one_is_used),
		cmocka_unit_test(strict_exchange_begins_with_kexinit),
		cmocka_unit_test(strict_exchange_takes_nothing_in_between),
		cmocka_unit_test(a_client_without_strict_exchange_may_send_ignore),
		cmocka_unit_test(keys_may_be_changed_before_and_during_authentication),
		cmocka_unit_test(the_session_id_stays_that_of_the_first_exchange),
		cmocka_unit_test(nothing_but_the_exchange_is_sent_during_it),
		cmocka_unit_test(a_channel_that_waited_for_new_keys_is_told),
		cmocka_unit_test(the_server_asks_for_new_keys_at_its_limit),
		cmocka_unit_test(values_of_the_wrong_length_or_order_end_the_connection),
		cmocka_unit_test(an_ml_kem_key_out_of_range_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
