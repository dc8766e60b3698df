/* SPDX-License-Identifier: MIT */
/*
 * Goodput of one stream over simulated wide-area links, in virtual time: congestion controllers
 * side by side. The links are those of the table in the design notes, with a queue of one product
 * of rate and delay.
 *
 *	bench-quic-wan [SECONDS]
 */
#include "init/base/text.h"
#include "tests/sim/sim.h"

struct scene {
	const char *name;
	double megabits, rtt_ms, loss;
	double queue; /* in products of rate and delay; 0: one */
};

static const struct scene scenes[] = {
	{ "200 Mbit/s, 50 ms, 0 %", 200, 50, 0, 0 },
	{ "200 Mbit/s, 50 ms, 0.1 %", 200, 50, 0.001, 0 },
	{ "200 Mbit/s, 50 ms, 1 %", 200, 50, 0.01, 0 },
	{ "200 Mbit/s, 200 ms, 0.01 %", 200, 200, 0.0001, 0 },
	{ "100 Mbit/s, 10 ms, 3 %", 100, 10, 0.03, 0 },
	{ "1 Gbit/s, 20 ms, 0 %", 1000, 20, 0, 0 },
	{ "1 Gbit/s, 100 ms, 0 %", 1000, 100, 0, 0 },
	{ "1 Gbit/s, 100 ms, 1 %", 1000, 100, 0.01, 0 },
	{ "100 Mbit/s, 40 ms, queue 1/4", 100, 40, 0, 0.25 },
	{ "100 Mbit/s, 40 ms, queue 1/16", 100, 40, 0, 0.0625 },
};

static double measure(const struct scene *scene, enum quic_congestion congestion, uint64_t seconds)
{
	struct peer_stream s = { 0 };
	struct world_config config = {
		.link = {
			.delay_ns = (uint64_t)(scene->rtt_ms / 2 * (double)NSEC_PER_MSEC),
			.rate_bps = (uint64_t)(scene->megabits * 1e6),
			.queue_max = (size_t)(scene->megabits * 1e6 / 8 * scene->rtt_ms / 1e3 *
					      (scene->queue > 0 ? scene->queue : 1)),
			.datagram_max = 1472,
			.loss = scene->loss,
		},
		.client = QUIC_SETTINGS_DEFAULT,
		.seed = 1,
	};
	struct world *w;

	config.client.congestion = congestion;
	config.server = config.client;
	w = world_new(&config);
	peer_request(world_connect(w, &peer_client_ops, NULL), w, "/source/1000000000000", &s);
	world_run(w, NULL, NULL, seconds * NSEC_PER_SEC);
	world_free(w);
	return (double)s.received * 8 / (double)seconds / 1e6;
}

int main(int argc, char **argv)
{
	uint64_t seconds = 12;

	if (argc > 1 && !text_parse_uint(argv[1], 3600, &seconds)) {
		fprintf(stderr, "usage: %s [SECONDS]\n", argv[0]);
		return 64;
	}
	printf("%-28s %8s %8s   Mbit/s over %llu s\n", "link", "bbr", "cubic",
	       (unsigned long long)seconds);
	for (size_t i = 0; i < ARRAY_LEN(scenes); i++)
		printf("%-28s %8.1f %8.1f\n", scenes[i].name,
		       measure(&scenes[i], QUIC_BBR, seconds),
		       measure(&scenes[i], QUIC_CUBIC, seconds));
	return 0;
}
