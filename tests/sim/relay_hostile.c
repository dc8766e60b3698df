/* SPDX-License-Identifier: MIT */
/* A relay, and those who want to get something out of it that is not theirs. */
#include "tests/unit/unit.h"

#include <string.h>

#include "init/base/macro.h"
#include "tests/sim/relay_world.h"
#include "tunnel/relay/control.h"

#define DELAY (10 * NSEC_PER_MSEC)
#define RTT (2 * DELAY)

static const struct link_settings links = { .delay_ns = DELAY };

static void expect_refusal(struct relay_world *w, struct relay_end *end, enum relay_code code)
{
	relay_end_dial(end);
	assert_true(relay_world_run(w, relay_end_is_refused, end, NSEC_PER_SEC));
	assert_int_equal(end->code, code);
	assert_false(end->is_welcome);
}

static void who_does_not_prove_an_id_does_not_get_it(void **state)
{
	cleanup(relay_world_free) struct relay_world *w = relay_world_new(&links);
	struct relay_end *job = relay_world_welcome(w, RELAY_JOB, NULL);
	struct relay_end *liar = relay_world_end(w, RELAY_JOB, NULL);

	(void)state;
	/* A key that is not of the id, an id that is not of the key, a signature for elsewhere. */
	liar->lies_key = true;
	expect_refusal(w, liar, RELAY_CODE_SIGNATURE);
	liar->lies_key = false;
	liar->lies_id = true;
	expect_refusal(w, liar, RELAY_CODE_SIGNATURE);
	liar->lies_id = false;
	liar->lies_binding = true;
	expect_refusal(w, liar, RELAY_CODE_SIGNATURE);
	liar->lies_binding = false;
	/* Another job's tag. */
	liar->tag = job->tag;
	expect_refusal(w, liar, RELAY_CODE_SIGNATURE);
	/* What the job said, word for word, on another connection. */
	liar->replays = job;
	expect_refusal(w, liar, RELAY_CODE_SIGNATURE);
	assert_int_equal(legs_count(w->core->legs, RELAY_JOB), 1);
	assert_false(job->is_refused);
}

static void a_tag_that_is_taken_is_not_given_to_another(void **state)
{
	cleanup(relay_world_free) struct relay_world *w = relay_world_new(&links);
	struct relay_end *job, *client, *thief;

	(void)state;
	relay_world_join(w, &job, &client);
	thief = relay_world_end(w, RELAY_CLIENT, job);
	thief->token = RELAY_TOKEN_BOB;
	thief->tag = client->tag;
	expect_refusal(w, thief, RELAY_CODE_TAG_TAKEN);
	client->to_send = 500000;
	relay_end_go_on(client);
	assert_true(relay_world_run(w, relay_end_has_all, client, 20 * NSEC_PER_SEC));
	assert_int_equal(w->out_bytes[2] > 0, 1); /* its control connection, and nothing more */
	assert_true(w->out_bytes[2] < 20000);
}

static void a_user_has_no_more_than_the_file_says(void **state)
{
	cleanup(relay_world_free) struct relay_world *w = relay_world_new(&links);
	struct relay_end *first = relay_world_end(w, RELAY_JOB, NULL);
	struct relay_end *second = relay_world_end(w, RELAY_JOB, NULL);
	struct err err;

	(void)state;
	first->token = second->token = RELAY_TOKEN_BOB;
	relay_end_dial(first);
	assert_true(relay_world_run(w, relay_end_is_welcome, first, NSEC_PER_SEC));
	expect_refusal(w, second, RELAY_CODE_LIMIT);
	/* Himself he replaces, although there is no second place. */
	relay_end_dial(first);
	assert_true(relay_world_run(w, relay_end_is_welcome, first, NSEC_PER_SEC));
	/* Out of the file he is out of the relay. */
	assert_int_equal(core_load(w->core, span_of_str("# nobody\n"), &err), 0);
	assert_true(relay_world_run(w, relay_end_is_refused, first, NSEC_PER_SEC));
	assert_int_equal(first->code, RELAY_CODE_TOKEN);
	expect_refusal(w, second, RELAY_CODE_TOKEN);
}

static void who_guesses_tokens_is_soon_not_listened_to(void **state)
{
	cleanup(relay_world_free) struct relay_world *w = relay_world_new(&links);
	struct relay_end *job, *client, *guesser;
	int tries = 0;

	(void)state;
	relay_world_join(w, &job, &client);
	guesser = relay_world_end(w, RELAY_CLIENT, job);
	guesser->token = "a guess";
	do {
		relay_end_dial(guesser);
		assert_true(relay_world_run(w, relay_end_is_refused, guesser, NSEC_PER_SEC));
	} while (guesser->code == RELAY_CODE_TOKEN && ++tries < 100);
	assert_int_equal(guesser->code, RELAY_CODE_TOO_OFTEN);
	assert_in_range(tries, 10, 40);
	/* Not even with a right one, for a while; others are not concerned. */
	guesser->token = RELAY_TOKEN;
	expect_refusal(w, guesser, RELAY_CODE_TOO_OFTEN);
	client->to_send = 300000;
	relay_end_go_on(client);
	assert_true(relay_world_run(w, relay_end_has_all, client, 20 * NSEC_PER_SEC));
	relay_world_run(w, NULL, NULL, 30 * NSEC_PER_SEC);
	relay_end_dial(guesser);
	assert_true(relay_world_run(w, relay_end_is_welcome, guesser, NSEC_PER_SEC));
}

static void a_stream_without_a_hello_ends(void **state)
{
	cleanup(relay_world_free) struct relay_world *w = relay_world_new(&links);
	struct relay_end *end = relay_world_end(w, RELAY_JOB, NULL);
	struct relay_end nobody = { .last_hello_len = 0 };

	(void)state;
	end->replays = &nobody;
	relay_end_dial(end);
	assert_true(relay_world_run(w, relay_end_is_refused, end, 11 * NSEC_PER_SEC));
	assert_int_equal(end->code, RELAY_CODE_PROTOCOL);
	/* And then the connection, or they would all be taken. */
	assert_true(relay_world_run(w, relay_end_is_over, end, 30 * NSEC_PER_SEC));
	assert_int_equal(front_count(w->front), 0);
}

static void garbage_on_the_stream_is_refused(void **state)
{
	cleanup(relay_world_free) struct relay_world *w = relay_world_new(&links);
	struct relay_end *end = relay_world_welcome(w, RELAY_JOB, NULL);
	static const uint8_t datagram[] = { 0x00, 0x02, 0x40, 0x41 };

	(void)state;
	/* DATAGRAM is for TCP. */
	assert_true(h3_stream_write(end->stream, span_of(datagram, sizeof(datagram))));
	quic_conn_probe(h3_conn_quic(end->control));
	assert_true(relay_world_run(w, relay_end_is_refused, end, NSEC_PER_SEC));
	assert_int_equal(end->code, RELAY_CODE_PROTOCOL);
	assert_int_equal(legs_count(w->core->legs, RELAY_JOB), 0);
}

/* Its connection gives no credit for what it does not read, and what it asks for is bounded. */
static void who_asks_and_does_not_read_is_ended(void **state)
{
	cleanup(relay_world_free) struct relay_world *w = relay_world_new(&links);
	struct relay_end *end = relay_world_welcome(w, RELAY_JOB, NULL);
	static const uint8_t ping[RELAY_PING_LEN];
	cleanup(buf_finish) struct buf b = BUF_INIT(64 * 1024);

	(void)state;
	while (buf_room(&b) > 64)
		assert_true(relay_ping_format(RELAY_PING, ping, &b));
	end->is_deaf = true;
	for (int i = 0; i < 4 && legs_count(w->core->legs, RELAY_JOB) > 0; i++) {
		(void)!h3_stream_write(end->stream, buf_span(&b));
		quic_conn_probe(h3_conn_quic(end->control));
		relay_world_run(w, NULL, NULL, NSEC_PER_SEC / 2);
	}
	assert_int_equal(legs_count(w->core->legs, RELAY_JOB), 0);
	assert_true(w->out_bytes[0] < 1000000);
}

/* Packets as they look from outside: a short header with this tag. */
static struct span packet_for(const struct quic_tag *tag, uint8_t *bytes, size_t len)
{
	memset(bytes, 0x5a, len);
	bytes[0] = 0x40;
	memcpy(bytes + 1, tag->bytes, sizeof(tag->bytes));
	return span_of(bytes, len);
}

static void a_stranger_gets_nothing_through_and_no_answer(void **state)
{
	cleanup(relay_world_free) struct relay_world *w = relay_world_new(&links);
	struct relay_end *job, *client, *stranger;
	uint64_t to_job, to_client;
	uint8_t bytes[1200];

	(void)state;
	relay_world_join(w, &job, &client);
	relay_world_run(w, NULL, NULL, NSEC_PER_SEC);
	stranger = relay_world_end(w, RELAY_CLIENT, job);
	to_job = w->out_bytes[0];
	to_client = w->out_bytes[1];
	for (int i = 0; i < 200; i++) {
		relay_end_send(stranger, packet_for(&job->tag, bytes, sizeof(bytes)));
		relay_end_send(stranger, packet_for(&client->tag, bytes, sizeof(bytes)));
		/* A client may not talk to itself, nor send to who is not its peer. */
		relay_end_send(client, packet_for(&client->tag, bytes, sizeof(bytes)));
		bytes[0] = 0; /* no QUIC at all */
		relay_end_send(stranger, span_of(bytes, 100));
	}
	relay_world_run(w, NULL, NULL, NSEC_PER_SEC);
	assert_int_equal(w->out_bytes[0], to_job);
	assert_int_equal(w->out_bytes[1], to_client);
	assert_int_equal(w->out_bytes[2], 0);
	assert_int_equal(w->core->stats.dropped[CORE_DROP_UNKNOWN], 600);
	assert_int_equal(w->core->stats.dropped[CORE_DROP_FOREIGN], 200);
}

/* First packets to the relay itself, of which none is followed by another. */
static void a_flood_of_handshakes_gets_three_times_what_it_sends_at_most(void **state)
{
	cleanup(relay_world_free) struct relay_world *w = relay_world_new(&links);
	struct relay_end *job, *client, *flood;

	(void)state;
	relay_world_join(w, &job, &client);
	flood = relay_world_end(w, RELAY_CLIENT, job);
	for (int i = 0; i < 300; i++) {
		relay_end_dial(flood); /* the one before is forgotten */
		flood->is_over = true;
		relay_world_run(w, NULL, NULL, NSEC_PER_MSEC);
		flood->control = h3_conn_free(flood->control);
	}
	client->to_send = 1000000;
	relay_end_go_on(client);
	assert_true(relay_world_run(w, relay_end_has_all, client, 30 * NSEC_PER_SEC));
	assert_true(w->in_bytes[2] > 100000);
	assert_true(w->out_bytes[2] <= 3 * w->in_bytes[2]);
	assert_in_range(front_handshakes(w->front), 0, QUIC_SERVER_HANDSHAKES_MAX);
	relay_world_run(w, NULL, NULL, 60 * NSEC_PER_SEC);
	assert_int_equal(front_count(w->front), 2);
}

/* They finish their handshakes and then say nothing. */
static void a_crowd_of_strangers_takes_its_own_places_only(void **state)
{
	cleanup(relay_world_free) struct relay_world *w = relay_world_new(&links);
	struct relay_end *job, *client, *crowd;
	struct relay_end nobody = { .last_hello_len = 0 };

	(void)state;
	relay_world_join(w, &job, &client);
	crowd = relay_world_end(w, RELAY_CLIENT, job);
	crowd->replays = &nobody;
	for (int i = 0; i < 3 * RELAY_STRANGERS_MAX; i++) {
		relay_end_dial(crowd);
		relay_world_run(w, NULL, NULL, 2 * RTT);
		crowd->control = h3_conn_free(crowd->control);
		assert_in_range(front_count(w->front), 2, 2 + RELAY_STRANGERS_MAX);
	}
	assert_int_equal(front_count(w->front), 2 + RELAY_STRANGERS_MAX);
	client->to_send = 300000;
	relay_end_go_on(client);
	assert_true(relay_world_run(w, relay_end_has_all, client, 20 * NSEC_PER_SEC));
	/* They are shown out, and there is room again. */
	relay_world_run(w, NULL, NULL, 40 * NSEC_PER_SEC);
	assert_int_equal(front_count(w->front), 2);
	relay_world_welcome(w, RELAY_CLIENT, job);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_does_not_prove_an_id_does_not_get_it),
		cmocka_unit_test(a_tag_that_is_taken_is_not_given_to_another),
		cmocka_unit_test(a_user_has_no_more_than_the_file_says),
		cmocka_unit_test(who_guesses_tokens_is_soon_not_listened_to),
		cmocka_unit_test(a_stream_without_a_hello_ends),
		cmocka_unit_test(garbage_on_the_stream_is_refused),
		cmocka_unit_test(who_asks_and_does_not_read_is_ended),
		cmocka_unit_test(a_stranger_gets_nothing_through_and_no_answer),
		cmocka_unit_test(a_flood_of_handshakes_gets_three_times_what_it_sends_at_most),
		cmocka_unit_test(a_crowd_of_strangers_takes_its_own_places_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
