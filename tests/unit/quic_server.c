/* SPDX-License-Identifier: MIT */
/*
 * What a server answers to datagrams that belong to no connection; connections themselves are
 * tested in tests/sim.
 */
#include "tests/unit/unit.h"

#include <string.h>

#include "tunnel/quic/server.h"

#define NOW (1000 * NSEC_PER_SEC)

struct fixture {
	struct key_pair key;
	struct secret reset_key;
	struct tls_context *tls;
	struct quic_server *server;
	struct quic_path path;
	struct quic_batch batch;
	int accepted;
};

static void count_accepted(void *owner, struct quic_conn *conn)
{
	struct fixture *f = owner;

	(void)conn;
	f->accepted++;
}

static int setup(void **state)
{
	static struct fixture f;
	static const struct quic_server_ops ops = { .accept = count_accepted };
	struct quic_server_config config = { .settings = QUIC_SETTINGS_DEFAULT,
					     .ops = &ops,
					     .owner = &f };

	memset(&f, 0, sizeof(f));
	assert_int_equal(key_pair_generate(&f.key, NULL), 0);
	assert_int_equal(key_random_secret(&f.reset_key, NULL), 0);
	f.tls = tls_context_new(TLS_SERVER, &f.key, &f.key.public, NULL);
	config.tls = f.tls;
	config.reset_key = &f.reset_key;
	f.server = quic_server_new(&config, NULL);
	f.path.local.len = f.path.remote.len = sizeof(struct sockaddr_in);
	f.path.local.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = 1 };
	f.path.remote.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = 2 };
	*state = &f;
	return f.tls && f.server ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	quic_server_free(f->server);
	tls_context_free(f->tls);
	key_pair_finish(&f->key);
	return 0;
}

static void feed(struct fixture *f, const void *bytes, size_t len)
{
	quic_server_read(f->server, &f->path, 0, span_of(bytes, len), NOW);
}

static bool answer(struct fixture *f)
{
	return quic_server_write(f->server, &f->batch, NOW);
}

static void an_unknown_version_is_told_the_known_one(void **state)
{
	struct fixture *f = *state;
	uint8_t packet[1200] = { 0xc0, 0xfa, 0xce, 0xb0, 0x0c, 4,   'd',
				 'd',  'd',  'd',  3,	 's',  's', 's' };
	static const uint8_t after_first[] = { 0,   0,	 0,   0,   3, 's', 's', 's', 4,
					       'd', 'd', 'd', 'd', 0, 0,   0,	1 };

	feed(f, packet, sizeof(packet));
	assert_true(answer(f));
	assert_true(f->batch.bytes[0] & 0x80);
	assert_int_equal(f->batch.len, 1 + sizeof(after_first));
	assert_memory_equal(f->batch.bytes + 1, after_first, sizeof(after_first));
	assert_true(quic_addr_equal(&f->batch.path.remote, &f->path.remote));
	assert_false(answer(f));
	/* Less than a whole first datagram earns nothing. */
	feed(f, packet, sizeof(packet) - 1);
	assert_false(answer(f));
	assert_int_equal(f->accepted, 0);
}

static void an_unknown_short_packet_is_reset_with_less(void **state)
{
	struct fixture *f = *state;
	uint8_t packet[1200] = { 0x40, 1, 2, 3 }, token[16];

	feed(f, packet, sizeof(packet));
	assert_true(answer(f));
	assert_int_equal(f->batch.bytes[0] & 0xc0, 0x40);
	assert_in_range(f->batch.len, 21, 43);
	memcpy(token, f->batch.bytes + f->batch.len - 16, 16);
	/* The token belongs to the id, what precedes it is random. */
	feed(f, packet, 30);
	assert_true(answer(f));
	assert_int_equal(f->batch.len, 29);
	assert_memory_equal(token, f->batch.bytes + f->batch.len - 16, 16);
	packet[1] = 9;
	feed(f, packet, 30);
	assert_true(answer(f));
	assert_memory_not_equal(token, f->batch.bytes + f->batch.len - 16, 16);
}

static void packets_that_could_be_resets_themselves_are_not_answered(void **state)
{
	struct fixture *f = *state;
	uint8_t packet[64] = { 0x40 };

	for (size_t len = 0; len <= 21; len++) {
		feed(f, packet, len);
		assert_false(answer(f));
	}
	feed(f, packet, 22);
	assert_true(answer(f));
	assert_int_equal(f->batch.len, 21);
}

static void answers_that_cannot_leave_are_dropped(void **state)
{
	struct fixture *f = *state;
	uint8_t packet[64] = { 0x40 };
	int count = 0;

	for (int i = 0; i < 1000; i++)
		feed(f, packet, sizeof(packet));
	while (answer(f))
		count++;
	assert_in_range(count, 1, 64);
	feed(f, packet, sizeof(packet));
	assert_true(answer(f));
}

static void a_handshake_packet_of_nobody_is_ignored(void **state)
{
	struct fixture *f = *state;
	uint8_t packet[1200] = { 0xe0, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0 };

	feed(f, packet, sizeof(packet));
	assert_false(answer(f));
	assert_int_equal(f->accepted, 0);
	assert_int_equal(quic_server_count(f->server), 0);
}

static void a_first_datagram_below_1200_bytes_is_ignored(void **state)
{
	struct fixture *f = *state;
	uint8_t packet[1199] = { 0xc0, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0x44, 0x90 };

	feed(f, packet, sizeof(packet));
	assert_false(answer(f));
	assert_int_equal(f->accepted, 0);
}

static void a_server_without_connections_never_has_a_deadline(void **state)
{
	struct fixture *f = *state;

	assert_true(quic_server_deadline(f->server) == QUIC_NEVER);
	quic_server_expire(f->server, NOW);
	assert_false(answer(f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_unknown_version_is_told_the_known_one, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_unknown_short_packet_is_reset_with_less, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			packets_that_could_be_resets_themselves_are_not_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(answers_that_cannot_leave_are_dropped, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_handshake_packet_of_nobody_is_ignored, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_first_datagram_below_1200_bytes_is_ignored, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_server_without_connections_never_has_a_deadline,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
