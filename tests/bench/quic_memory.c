/* SPDX-License-Identifier: MIT */
/*
 * Bulk data through HTTP/3 streams in memory: sending and receiving on one core, without system
 * calls. It bounds what the real programs can reach and compares the congestion controllers and
 * datagram sizes in one run.
 *
 *	bench-quic-memory [MEBIBYTES]
 */
#include <time.h>

#include "init/base/text.h"
#include "tests/sim/sim.h"

/* What a batch is under way; the parties see a round trip of twice that and more. */
#define ONE_WAY_NS 10000

struct drain {
	uint64_t received, wanted;
};

struct feed {
	uint64_t left;
};

static double cpu_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void drain_body(struct h3_stream *stream, void *user, struct span bytes)
{
	struct drain *drain = user;

	drain->received += bytes.len;
	h3_stream_consumed(stream, bytes.len);
}

/* A batch arrives as a socket with UDP_GRO hands it over: at once. */
static void deliver(struct world *w, struct world_client *to_client)
{
	const struct quic_batch *batch = w->batch;
	const struct quic_path path = { .local = batch->path.remote, .remote = batch->path.local };
	struct span bytes = span_of(batch->bytes, batch->len);

	w->now += ONE_WAY_NS;
	while (bytes.len > 0) {
		struct span datagram = span_cut(&bytes, MIN(batch->segment, bytes.len));

		if (to_client)
			quic_conn_read(h3_conn_quic(to_client->h3), &path, batch->ecn, datagram,
				       w->now);
		else
			quic_server_read(w->server, &path, batch->ecn, datagram, w->now);
	}
}

/* Both parties take turns; when neither has anything to say, time moves on to the next timer. */
static void transfer(struct world *w, struct world_client *client, const struct drain *drain)
{
	struct quic_conn *quic = h3_conn_quic(client->h3);

	while (drain->received < drain->wanted) {
		bool idle = true;

		if (quic_server_write(w->server, w->batch, w->now)) {
			deliver(w, client);
			idle = false;
		}
		while (quic_conn_write(quic, w->batch, w->now)) {
			deliver(w, NULL);
			idle = false;
		}
		if (idle)
			w->now = MAX(w->now, MIN(quic_conn_deadline(quic),
						 quic_server_deadline(w->server)));
		if (quic_conn_deadline(quic) <= w->now)
			quic_conn_expire(quic, w->now);
		if (quic_server_deadline(w->server) <= w->now)
			quic_server_expire(w->server, w->now);
		if (quic_conn_is_over(quic)) {
			fprintf(stderr, "bench: the connection ended\n");
			exit(1);
		}
	}
}

/* As a service that reads a pipe does, but the bytes are there already. */
static void feed_stream(struct h3_stream *stream, void *user)
{
	struct feed *feed = user;

	while (feed->left > 0) {
		struct h3_space space =
			h3_stream_reserve(stream, (size_t)MIN(feed->left, UINT64_C(65536)));

		if (space.len == 0)
			return;
		h3_stream_commit(stream, space.len);
		feed->left -= space.len;
	}
	h3_stream_end(stream);
}

static void serve(struct h3_conn *conn, void *owner, struct h3_stream *stream,
		  const struct h3_request *request)
{
	static const struct h3_stream_ops ops = { .writable = feed_stream };

	(void)conn;
	(void)request;
	h3_stream_set_ops(stream, &ops, owner);
	h3_stream_respond(stream, 200);
	feed_stream(stream, owner);
}

static void measure(uint64_t bytes, enum quic_congestion congestion, size_t datagram_max)
{
	static const struct h3_conn_ops server_ops = { .request = serve };
	static const struct h3_stream_ops drain_ops = { .body = drain_body };
	const struct h3_request request = {
		.method = "CONNECT", .protocol = "test", .authority = "job", .path = "/"
	};
	struct feed feed = { .left = bytes };
	struct drain drain = { .wanted = bytes };
	struct world_config config = {
		.client = QUIC_SETTINGS_DEFAULT,
		.server_ops = &server_ops,
		.server_owner = &feed,
	};
	struct world_client *client;
	struct quic_stats stats;
	struct h3_stream *stream;
	struct world *w;
	double begin = cpu_seconds(), seconds;
	uint64_t virtual_ns;

	config.client.congestion = congestion;
	config.client.datagram_max = datagram_max;
	config.server = config.client;
	w = world_new(&config);
	client = world_connect(w, &peer_client_ops, NULL);
	if (h3_conn_request(client->h3, &request, &drain_ops, &drain, &stream, NULL) < 0)
		exit(1);
	transfer(w, client, &drain);
	seconds = cpu_seconds() - begin;
	virtual_ns = w->now - WORLD_START;
	quic_conn_stats(h3_conn_quic(w->accepted[0]), &stats);
	printf("%-6s datagram %5zu: %6.2f Gbit/s  (%llu MiB in %.2f s of CPU; virtual %.3f s, rtt %.0f us, "
	       "cwnd %llu KiB, lost %llu)\n",
	       congestion == QUIC_BBR ? "bbr" : "cubic", stats.datagram,
	       (double)bytes * 8 / seconds / 1e9, (unsigned long long)(bytes >> 20), seconds,
	       (double)virtual_ns / 1e9, (double)stats.rtt_ns / 1e3,
	       (unsigned long long)(stats.cwnd >> 10), (unsigned long long)stats.packets_lost);
	world_free(w);
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 1452, 8952, QUIC_DATAGRAM_MAX };
	uint64_t mebibytes = 1024;

	if (argc > 1 && !text_parse_uint(argv[1], 1 << 20, &mebibytes)) {
		fprintf(stderr, "usage: %s [MEBIBYTES]\n", argv[0]);
		return 64;
	}
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		measure(mebibytes << 20, QUIC_BBR, sizes[i]);
		measure(mebibytes << 20, QUIC_CUBIC, sizes[i]);
	}
	return 0;
}
