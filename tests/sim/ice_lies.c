/* SPDX-License-Identifier: MIT */
/* What relays, onlookers and the peer itself can make an end send, and believe: little. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "tests/sim/yard.h"

#define DELAY (25 * NSEC_PER_MSEC)
#define RTT (2 * DELAY)

static const struct yard_config moderate = { .client = &NAT_MODERATE,
					     .job = &NAT_MODERATE,
					     .way = { .delay_ns = DELAY } };

static void a_relay_that_lies_wins_nothing(void **state)
{
	struct yard_config config = moderate;
	cleanup(yard_free) struct yard *y = NULL;

	(void)state;
	config.lie = yard_addr("192.0.2.66", 53);
	y = yard_new(&config);
	assert_false(yard_run(y, yard_is_direct, 59 * NSEC_PER_SEC));
	/* The victim gets some small packets, not more than the relay could send by itself. */
	assert_in_range(y->ends[YARD_CLIENT].answered_to_others, 1, 20);
	assert_in_range(y->ends[YARD_JOB].answered_to_others, 1, 20);
}

static void a_way_without_the_relays_word_is_found_all_the_same(void **state)
{
	struct yard_config config = moderate;
	cleanup(yard_free) struct yard *y = NULL;

	(void)state;
	config.job = &NAT_NONE;
	config.lie = yard_addr("192.0.2.66", 53);
	y = yard_new(&config);
	assert_true(yard_run(y, yard_is_direct, NSEC_PER_SEC));
}

/* A request with all that can be seen on the way, and another key. */
static void forge(const struct stun_message *seen, const char *key, struct buf *b)
{
	struct stun_message forged = *seen;

	forged.transaction[0] ^= 1;
	assert_true(stun_format(&forged, STUN_SHA256, span_of_str(key), b));
}

/* The client's first check, which the job's NAT kept out, and its last. */
struct onlooker {
	struct ice_packet first, last;
};

static bool watch(struct yard *yard, enum yard_who from, const struct ice_packet *packet)
{
	struct onlooker *onlooker = yard->user;
	struct stun_message message;

	if (from != YARD_CLIENT ||
	    stun_parse(span_of(packet->bytes, packet->len), &message, NULL) < 0 ||
	    message.class != STUN_REQUEST)
		return true;
	if (onlooker->first.len == 0)
		onlooker->first = *packet;
	/* Those to the private address of the job's host get nowhere. */
	if (nat_is_outside(yard->ends[YARD_JOB].nat, &packet->path.remote))
		onlooker->last = *packet;
	return true;
}

/* Answers that wait at a time, and checks of an address until it is given up. */
#define ANSWERS 16
#define CHECKS 8

static void checks_without_the_key_are_ignored(void **state)
{
	const struct quic_addr stranger = yard_addr("192.0.2.66", 4000);
	cleanup(buf_finish) struct buf b = BUF_INIT(2 * STUN_MESSAGE_MAX);
	cleanup(yard_free) struct yard *y = yard_new(&moderate);
	struct onlooker onlooker = { 0 };
	struct stun_message seen;
	size_t before, to_others;

	(void)state;
	y->user = &onlooker;
	y->tap = watch;
	assert_true(yard_run(y, yard_is_direct, NSEC_PER_SEC));
	yard_run(y, NULL, 5 * NSEC_PER_SEC);
	assert_int_equal(stun_parse(span_of(onlooker.last.bytes, onlooker.last.len), &seen, NULL),
			 0);
	before = y->ends[YARD_JOB].sent;
	to_others = y->ends[YARD_JOB].answered_to_others; /* the private address of the client */
	/* Another key; SHA-1 instead of SHA-256; a check sent back to its sender. */
	forge(&seen, "not the key", &b);
	assert_false(yard_deliver(y, YARD_JOB, &stranger, buf_span(&b)));
	buf_clear(&b);
	assert_true(stun_format(&seen, STUN_SHA1, span_of_str("not the key"), &b));
	assert_false(yard_deliver(y, YARD_JOB, &stranger, buf_span(&b)));
	assert_false(yard_deliver(y, YARD_CLIENT, &stranger,
				  span_of(onlooker.last.bytes, onlooker.last.len)));
	/* A true check, from another address: nobody there is answered. */
	yard_deliver(y, YARD_JOB, &stranger, span_of(onlooker.last.bytes, onlooker.last.len));
	yard_run(y, NULL, 100 * NSEC_PER_MSEC);
	assert_int_equal(y->ends[YARD_JOB].sent, before);
	assert_int_equal(y->ends[YARD_JOB].answered_to_others, to_others);
	/* One that never arrived may have come from there: a few packets, and it is forgotten. */
	for (int i = 0; i < 100; i++)
		yard_deliver(y, YARD_JOB, &stranger,
			     span_of(onlooker.first.bytes, onlooker.first.len));
	yard_run(y, NULL, 10 * NSEC_PER_SEC);
	assert_in_range(y->ends[YARD_JOB].answered_to_others - to_others, 1, ANSWERS + CHECKS);
}

/* Answers that are changed on the way, or come from elsewhere. */
static bool spoil(struct yard *yard, enum yard_who from, const struct ice_packet *packet)
{
	struct quic_addr elsewhere = yard_addr("203.0.113.77", 4000);
	struct ice_packet copy = *packet;
	struct stun_message message;

	if (stun_parse(span_of(packet->bytes, packet->len), &message, NULL) < 0 ||
	    message.class != STUN_SUCCESS)
		return true;
	copy.bytes[30] ^= 1;
	if (yard_deliver(yard, from == YARD_CLIENT ? YARD_JOB : YARD_CLIENT, &elsewhere,
			 span_of(packet->bytes, packet->len)))
		fail_msg("an answer from elsewhere was believed");
	(void)yard_deliver(yard, from == YARD_CLIENT ? YARD_JOB : YARD_CLIENT,
			   &yard->ends[from].host[0], span_of(copy.bytes, copy.len));
	return false;
}

static void answers_that_are_not_the_peers_make_no_way(void **state)
{
	cleanup(yard_free) struct yard *y = yard_new(&moderate);

	(void)state;
	y->tap = spoil;
	assert_false(yard_run(y, yard_is_direct, 30 * NSEC_PER_SEC));
}

static void a_peer_cannot_make_an_end_scan(void **state)
{
	const struct yard_config config = { .client = &NAT_STRICT,
					    .job = &NAT_STRICT,
					    .way = { .delay_ns = DELAY } };
	cleanup(yard_free) struct yard *y = yard_new(&config);
	struct ice_agent *agent = y->ends[YARD_CLIENT].agent;
	size_t accepted = 0;

	(void)state;
	yard_run(y, NULL, NSEC_PER_SEC);
	/* A new round of a hundred addresses, a thousand times. */
	for (int round = 0; round < 1000; round++) {
		ice_agent_remote_round(agent, y->now);
		for (int i = 0; i < 100; i++) {
			struct ice_candidate candidate = { .kind = ICE_HOST };
			char text[INET_ADDRSTRLEN];

			snprintf(text, sizeof(text), "192.0.2.%d", (round + i) % 250 + 1);
			candidate.addr = yard_addr(text, 80);
			accepted += ice_agent_add_remote(agent, &candidate, y->now);
		}
		yard_run(y, NULL, 40 * NSEC_PER_MSEC);
	}
	assert_int_equal(accepted, 1000 * ICE_CANDIDATES_MAX);
	/* 40 seconds, which are ten times four. */
	assert_true(y->ends[YARD_CLIENT].sent <= 11 * ICE_ROUND_PACKETS);
	assert_true(ice_agent_sent(agent) <= y->ends[YARD_CLIENT].sent);
}

static void checks_keep_their_pace(void **state)
{
	const struct yard_config config = { .client = &NAT_NONE,
					    .job = &NAT_STRICT,
					    .way = { .delay_ns = DELAY, .is_cut = true } };
	cleanup(yard_free) struct yard *y = yard_new(&config);
	struct ice_agent *agent = y->ends[YARD_CLIENT].agent;
	size_t sent;

	(void)state;
	yard_run(y, NULL, 5 * NSEC_PER_SEC);
	y->ends[YARD_CLIENT].sent = 0;
	ice_agent_remote_round(agent, y->now);
	for (uint16_t i = 0; i < ICE_CANDIDATES_MAX; i++) {
		struct ice_candidate candidate = { .addr = yard_addr("192.0.2.9", 1000 + i) };

		assert_true(ice_agent_add_remote(agent, &candidate, y->now));
	}
	yard_run(y, NULL, 0);
	assert_int_equal(y->ends[YARD_CLIENT].sent, ICE_BURST);
	yard_run(y, NULL, NSEC_PER_SEC);
	assert_in_range(y->ends[YARD_CLIENT].sent, 48, ICE_BURST + 50);
	yard_run(y, NULL, 10 * NSEC_PER_SEC);
	sent = y->ends[YARD_CLIENT].sent;
	assert_true(sent <= ICE_ROUND_PACKETS);
	/* And then it is quiet until the next round. */
	yard_run(y, NULL, 40 * NSEC_PER_SEC);
	assert_int_equal(y->ends[YARD_CLIENT].sent, sent);
}

static void what_is_no_address_of_another_host_is_not_checked(void **state)
{
	static const char *const useless[] = {
		"0.0.0.0", "127.0.0.1", "169.254.1.1", "224.0.0.251", "255.255.255.255",
		"::",	   "::1",	"fe80::1",     "ff02::1",     "::ffff:192.0.2.1"
	};
	cleanup(yard_free) struct yard *y = yard_new(&moderate);
	struct ice_agent *agent = y->ends[YARD_CLIENT].agent;
	struct ice_candidate candidate = { .addr = yard_addr("192.0.2.1", 0) };

	(void)state;
	assert_false(ice_agent_add_remote(agent, &candidate, y->now));
	for (size_t i = 0; i < ARRAY_LEN(useless); i++) {
		candidate.addr = yard_addr(useless[i], 4000);
		assert_false(ice_agent_add_remote(agent, &candidate, y->now));
	}
	/* An end that is on its peer's host says so by an address of its own. */
	candidate.addr = yard_addr("127.0.0.1", 4000);
	assert_true(ice_agent_add_local(agent, &candidate, y->now));
	assert_true(ice_agent_add_remote(agent, &candidate, y->now));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_relay_that_lies_wins_nothing),
		cmocka_unit_test(a_way_without_the_relays_word_is_found_all_the_same),
		cmocka_unit_test(checks_without_the_key_are_ignored),
		cmocka_unit_test(answers_that_are_not_the_peers_make_no_way),
		cmocka_unit_test(a_peer_cannot_make_an_end_scan),
		cmocka_unit_test(checks_keep_their_pace),
		cmocka_unit_test(what_is_no_address_of_another_host_is_not_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
