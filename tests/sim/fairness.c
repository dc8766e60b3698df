/* SPDX-License-Identifier: MIT */
/* Streams that share a connection: what is typed goes before bulk, and bulk goes on. */
#include "tests/sim/sim.h"

#include <stdlib.h>

#define RTT (50 * NSEC_PER_MSEC)
#define RATE UINT64_C(10000000)
/* A full queue takes a round trip to leave, in each loaded direction; our own part is the rest. */
#define QUEUED RTT
#define OURS (20 * NSEC_PER_MSEC)
#define KEYS 200
#define BULKS_MAX 24

/* A home's upload or a busy hotel: ten megabits, and a queue of one product of rate and delay. */
static const struct link_settings slow = {
	.delay_ns = RTT / 2,
	.rate_bps = RATE,
	.queue_max = RATE / 8 / 20,
};

struct load {
	size_t down, up; /* bulk streams in each direction */
	unsigned int urgency;
};

struct figures {
	uint64_t median, late; /* echo: the half, and 99 of 100, are faster */
	double bulk;	       /* share of the link that bulk got, both directions */
};

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static bool has_echo(const void *arg)
{
	const struct peer_stream *s = arg;

	return s->received == s->sent;
}

static uint64_t moved(const struct peer_stream *bulks, const struct load *load)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < load->down + load->up; i++)
		bytes += i < load->down ? bulks[i].received : bulks[i].sent;
	return bytes;
}

/* Keys are typed ten times a second, three bytes each, and their echoes are timed. */
static struct figures type_under(const struct load *load)
{
	cleanup(world_free) struct world *w =
		world_new(&(struct world_config){ .link = slow, .seed = 7 });
	struct peer_stream keys = { .keep_open = true, .checks = true, .urgency = load->urgency };
	static struct peer_stream bulks[BULKS_MAX];
	struct world_client *client = world_connect(w, &peer_client_ops, NULL);
	uint64_t took[KEYS], begin, bytes;

	peer_request(client, w, "/echo", &keys);
	for (size_t i = 0; i < load->down + load->up; i++) {
		bulks[i] = (struct peer_stream){ .to_send = i < load->down ? 0 : UINT64_MAX };
		peer_request(client, w, i < load->down ? "/source/1000000000000" : "/sink",
			     &bulks[i]);
	}
	world_run(w, NULL, NULL, 5 * NSEC_PER_SEC);
	begin = w->now;
	bytes = moved(bulks, load);
	for (size_t i = 0; i < KEYS; i++) {
		uint64_t pressed = w->now;

		peer_send(&keys, 3);
		assert_true(world_run(w, has_echo, &keys, 10 * NSEC_PER_SEC));
		took[i] = w->now - pressed;
		world_run(w, NULL, NULL, 100 * NSEC_PER_MSEC);
	}
	assert_false(keys.is_wrong);
	bytes = moved(bulks, load) - bytes;
	qsort(took, KEYS, sizeof(took[0]), by_size);
	return (struct figures){
		.median = took[KEYS / 2],
		.late = took[KEYS * 99 / 100],
		.bulk = (double)bytes * 8 * 1e9 / (double)(w->now - begin) / (double)RATE,
	};
}

static void report(const char *what, const struct figures *f)
{
	print_message("%s: echo median %.1f ms, 99 %% %.1f ms, bulk %.2f of the link\n", what,
		      (double)f->median / 1e6, (double)f->late / 1e6, f->bulk);
}

static void keys_are_echoed_while_bulk_comes_down(void **state)
{
	struct figures f = type_under(&(struct load){ .down = 1, .urgency = H3_URGENCY_TYPED });

	(void)state;
	report("one down", &f);
	assert_true(f.median <= RTT + QUEUED + OURS);
	assert_true(f.bulk > 0.8);
}

static void keys_are_echoed_while_bulk_goes_up(void **state)
{
	struct figures f = type_under(&(struct load){ .up = 1, .urgency = H3_URGENCY_TYPED });

	(void)state;
	report("one up", &f);
	assert_true(f.median <= RTT + QUEUED + OURS);
	assert_true(f.bulk > 0.8);
}

static void keys_are_echoed_among_many_bulk_streams_both_ways(void **state)
{
	struct figures f =
		type_under(&(struct load){ .down = 12, .up = 12, .urgency = H3_URGENCY_TYPED });
	struct figures plain = type_under(&(struct load){ .down = 12, .up = 12 });

	(void)state;
	report("twelve each way", &f);
	report("the same, not urgent", &plain);
	assert_true(f.median <= RTT + 2 * QUEUED + OURS);
	assert_true(f.median <= plain.median);
	assert_true(f.late < plain.late);
	assert_true(f.bulk > 1.5);
}

/* `cat` of a large file in a terminal: its backlog says that nobody waits for each byte. */
static void an_urgent_stream_that_floods_is_like_any_other(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		cleanup(world_free) struct world *w =
			world_new(&(struct world_config){ .link = slow, .seed = 8 });
		bool is_up = i == 1;
		const char *path = is_up ? "/sink" : "/source/1000000000000";
		struct peer_stream flood = { .urgency = H3_URGENCY_TYPED }, bulk = { 0 };
		struct world_client *client = world_connect(w, &peer_client_ops, NULL);
		uint64_t of_flood, of_bulk;

		flood.to_send = bulk.to_send = is_up ? UINT64_MAX : 0;
		peer_request(client, w, path, &flood);
		peer_request(client, w, path, &bulk);
		world_run(w, NULL, NULL, 30 * NSEC_PER_SEC);
		of_flood = is_up ? flood.sent : flood.received;
		of_bulk = is_up ? bulk.sent : bulk.received;
		print_message("%s: the flood %.1f MB, the other %.1f MB\n", is_up ? "up" : "down",
			      (double)of_flood / 1e6, (double)of_bulk / 1e6);
		assert_true(of_flood < 2 * of_bulk && of_bulk < 2 * of_flood);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_echoed_while_bulk_comes_down),
		cmocka_unit_test(keys_are_echoed_while_bulk_goes_up),
		cmocka_unit_test(keys_are_echoed_among_many_bulk_streams_both_ways),
		cmocka_unit_test(an_urgent_stream_that_floods_is_like_any_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
