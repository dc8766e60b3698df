/* SPDX-License-Identifier: MIT */
/* Nothing that a client asks early acts twice, whoever sends what again and in whatever order. */
#include "tests/sim/sim.h"

#include <stdlib.h>

#include "init/base/alloc.h"

#define RTT (50 * NSEC_PER_MSEC)
#define LONG (10 * NSEC_PER_SEC)

static const struct world_config plain = { .link = { .delay_ns = RTT / 2 } };

/* What somebody on the way has recorded. */
struct tape {
	struct {
		struct link_head head;
		size_t len;
		uint8_t bytes[1500];
	} * packets;
	size_t count;
};

#define TAPE_MAX 64

static void record(void *user, const struct link_head *head, struct span bytes)
{
	struct tape *tape = user;

	assert_true(tape->count < TAPE_MAX && bytes.len <= 1500);
	tape->packets[tape->count].head = *head;
	tape->packets[tape->count].len = bytes.len;
	memcpy(tape->packets[tape->count++].bytes, bytes.ptr, bytes.len);
}

static void tape_init(struct tape *tape)
{
	tape->packets = alloc_zero(TAPE_MAX, sizeof(*tape->packets));
	tape->count = 0;
}

/* Sends the tape to the server, from the client's address or from another one. */
static void play(struct world *w, const struct tape *tape, uint16_t port)
{
	for (size_t i = 0; i < tape->count; i++) {
		struct quic_path path = tape->packets[i].head.path;

		if (port)
			path.remote.v6.sin6_port = port;
		quic_server_read(w->server, &path, 0,
				 span_of(tape->packets[i].bytes, tape->packets[i].len), w->now);
	}
}

/* The first flight of a client with a ticket, as it was sent. */
static struct world_client *record_flight(struct world *w, struct tape *tape, struct peer_stream *s,
					  struct peer_client *owner)
{
	struct world_ticket ticket = { 0 };
	struct world_client *client;

	peer_get_ticket(w, &ticket);
	tape_init(tape);
	client = world_resume(w, &peer_client_ops, owner, &ticket.ticket);
	link_settings(client->up)->tap = record;
	link_settings(client->up)->tap_user = tape;
	peer_request(client, w, "/echo", s);
	world_run(w, NULL, NULL, 0);
	link_settings(client->up)->tap = NULL;
	/* Two of the hello, which holds a post-quantum key, and the request. */
	assert_true(tape->count >= 2);
	return client;
}

static void a_flight_that_is_replayed_a_thousand_times_acts_once(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct peer_stream s = { .to_send = 100, .checks = true };
	struct peer_client owner = { 0 };
	struct tape tape;
	struct world_client *client = record_flight(w, &tape, &s, &owner);

	(void)state;
	/* While the connection is there, after it is gone, and after it is forgotten. */
	for (size_t i = 0; i < 1000; i++) {
		if (i == 300)
			h3_conn_close(client->h3);
		if (i == 500)
			world_run(w, NULL, NULL, 60 * NSEC_PER_SEC);
		world_run(w, NULL, NULL, i % 10 == 0 ? NSEC_PER_SEC : NSEC_PER_MSEC);
		play(w, &tape, i % 3 == 0 ? (uint16_t)(2000 + i) : 0);
	}
	world_run(w, NULL, NULL, 60 * NSEC_PER_SEC);
	assert_int_equal(s.received, 100);
	assert_int_equal(w->requests, 1);
	assert_int_equal(quic_server_count(w->server), 0);
	free(tape.packets);
}

/* Copies that overtake the client's own packets, as if they came from it. */
static void copies_that_come_first_act_once(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct peer_stream s = { .to_send = 100, .checks = true };
	struct peer_client owner = { 0 };
	struct tape tape;

	(void)state;
	record_flight(w, &tape, &s, &owner);
	for (size_t i = 0; i < 1000; i++)
		play(w, &tape, 0);
	assert_true(world_run(w, peer_is_closed, &s, 30 * NSEC_PER_SEC));
	assert_int_equal(s.received, 100);
	assert_int_equal(w->requests, 1);
	free(tape.packets);
}

/*
 * From elsewhere: the server answers there, so that the client's handshake fails, as it does when
 * somebody on the way drops its packets.
 */
static void copies_from_elsewhere_that_come_first_act_once(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct peer_stream s = { .to_send = 100 };
	struct peer_client owner = { 0 }, second = { 0 };
	struct world_client *early, *other;
	struct tape tape;

	(void)state;
	early = record_flight(w, &tape, &s, &owner);
	for (size_t i = 0; i < 1000; i++)
		play(w, &tape, (uint16_t)(2000 + i));
	assert_true(world_run(w, peer_is_gone, &owner, 30 * NSEC_PER_SEC));
	assert_int_equal(w->requests, 1);
	other = world_connect(w, &peer_client_ops, &second);
	assert_true(world_run(w, peer_is_ready, &second, LONG));
	h3_conn_adopt(other->h3, early->h3);
	assert_true(world_run(w, peer_is_closed, &s, LONG));
	assert_int_equal(s.status, 409);
	assert_int_equal(w->requests, 1);
	free(tape.packets);
}

/*
 * The worst: the client's packets are held back until the server has forgotten the copy that it
 * acted on, and then the client, which is told that nothing was taken early, asks again.
 */
static void a_client_that_asks_again_after_a_copy_acted_is_told_so(void **state)
{
	struct world_config config = plain;
	cleanup(world_free) struct world *w = NULL;
	struct peer_stream s = { .to_send = 100 };
	struct peer_client owner = { 0 };
	struct world_client *client;
	struct tape tape;

	(void)state;
	config.client = QUIC_SETTINGS_DEFAULT;
	config.client.handshake_timeout_ns = 120 * NSEC_PER_SEC;
	w = world_new(&config);
	client = record_flight(w, &tape, &s, &owner);
	world_cut(client, true);
	play(w, &tape, 2000);
	world_run(w, NULL, NULL, 30 * NSEC_PER_SEC);
	assert_int_equal(w->requests, 1);
	assert_int_equal(quic_server_count(w->server), 0);
	world_cut(client, false);
	assert_true(world_run(w, peer_is_closed, &s, 120 * NSEC_PER_SEC));
	assert_int_equal(s.status, 409);
	assert_int_equal(w->requests, 1);
	assert_true(owner.is_ready);
	free(tape.packets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flight_that_is_replayed_a_thousand_times_acts_once),
		cmocka_unit_test(copies_that_come_first_act_once),
		cmocka_unit_test(copies_from_elsewhere_that_come_first_act_once),
		cmocka_unit_test(a_client_that_asks_again_after_a_copy_acted_is_told_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
