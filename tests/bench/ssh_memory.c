/* SPDX-License-Identifier: MIT */
/*
 * Bulk data through the SSH engine in memory, on one core and without system calls: what a cipher
 * costs, each way. Only the server's work is measured; the client's packets are made before.
 *
 *	bench-ssh-memory [MEBIBYTES]
 */
#include <time.h>

#include "init/base/text.h"
#include "tests/unit/ssh_peer.h"

#define MIB (1024 * 1024)
#define BATCH (256 * 1024) /* what one read(2) or write(2) of a pipe moves */
#define WINDOW (64u * MIB)

static uint8_t bytes[BATCH];

static double cpu_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void start(struct peer *p, const char *cipher)
{
	struct peer_options o = PEER_DEFAULT;

	o.cipher = cipher;
	peer_init(p, &o);
	peer_handshake(p);
	peer_open_session(p, 0);
	peer_put(p, MSG_CHANNEL_REQUEST, "utb", 0u, "shell", 0);
	/* What arrives is not kept. */
	p->seen.input.max = 0;
}

static double up(const char *cipher, uint64_t len)
{
	struct peer p;
	double used = 0, before;

	start(&p, cipher);
	for (uint64_t sent = 0; sent < len; sent += BATCH) {
		for (size_t at = 0; at < BATCH; at += CHANNEL_DATA_MAX)
			peer_queue(&p, MSG_CHANNEL_DATA, "us", 0u,
				   span_of(bytes + at, CHANNEL_DATA_MAX));
		before = cpu_seconds();
		peer_flush(&p);
		used += cpu_seconds() - before;
		ssh_server_output_taken(p.server, ssh_server_output(p.server).len);
	}
	if (p.over || p.seen.input_len != len)
		used = -1;
	peer_finish(&p);
	return used;
}

static double down(const char *cipher, uint64_t len)
{
	struct peer p;
	struct ssh_channel *c;
	double used = 0, before;

	start(&p, cipher);
	c = p.seen.channels[0];
	for (uint64_t sent = 0; sent < len; sent += BATCH) {
		if (ssh_channel_room(c) < BATCH)
			peer_put(&p, MSG_CHANNEL_WINDOW_ADJUST, "uu", 0u, WINDOW);
		before = cpu_seconds();
		ssh_channel_write(c, SSH_STDOUT, span_of(bytes, BATCH));
		used += cpu_seconds() - before;
		ssh_server_output_taken(p.server, ssh_server_output(p.server).len);
	}
	if (p.over)
		used = -1;
	peer_finish(&p);
	return used;
}

int main(int argc, char **argv)
{
	uint64_t mebibytes = 1024;

	if (argc > 2 || (argc == 2 && !text_parse_uint(argv[1], 1 << 20, &mebibytes)))
		return 64;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 13);
	for (const struct cipher_kind *k = cipher_kinds; k->name; k++) {
		uint64_t len = mebibytes * MIB;

		printf("%-30s  up %5.2f GB/s  down %5.2f GB/s\n", k->name,
		       (double)len / up(k->name, len) / 1e9,
		       (double)len / down(k->name, len) / 1e9);
	}
	return 0;
}
