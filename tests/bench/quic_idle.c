/* SPDX-License-Identifier: MIT */
/*
 * Memory of idle connections: heap of both parties, with one open stream each, after its handshake
 * and a while. `valgrind --tool=massif` on this says what it is made of.
 *
 *	bench-quic-idle [CONNECTIONS]
 */
#include <malloc.h>

#include "init/base/text.h"
#include "tests/sim/sim.h"

static double kib(size_t before, size_t after, uint64_t count)
{
	return (double)(after - before) / 1024 / (double)count;
}

int main(int argc, char **argv)
{
	static struct peer_stream streams[WORLD_CLIENTS_MAX];
	struct world_config config = { .link = { .delay_ns = NSEC_PER_MSEC } };
	uint64_t count = 200;
	struct world *w;
	size_t before, after;

	if (argc > 1 && !text_parse_uint(argv[1], 250, &count)) {
		fprintf(stderr, "usage: %s [CONNECTIONS]\n", argv[0]);
		return 64;
	}
	w = world_new(&config);
	for (uint64_t i = 0; i <= count; i++) {
		streams[i] = (struct peer_stream){ .to_send = 10, .keep_open = true };
		peer_request(world_connect(w, &peer_client_ops, NULL), w, "/echo", &streams[i]);
		if (i == 0) {
			world_run(w, NULL, NULL, NSEC_PER_SEC);
			before = mallinfo2().uordblks;
		} else if (i % 16 == 0) {
			world_run(w, NULL, NULL, NSEC_PER_SEC);
		}
	}
	world_run(w, NULL, NULL, 60 * NSEC_PER_SEC);
	after = mallinfo2().uordblks;
	world_restart_server(w);
	printf("%llu idle connections: %.1f KiB for both parties of one, %.1f of them the server's\n",
	       (unsigned long long)count, kib(before, after, count),
	       kib(mallinfo2().uordblks, after, count + 1));
	world_free(w);
	return 0;
}
