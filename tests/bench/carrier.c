/* SPDX-License-Identifier: MIT */
/*
 * How fast datagrams go over a byte stream, beside how fast they go over UDP, on loopback, both
 * ends in one loop: usage: bench-carrier [MIB [DATAGRAM]]. Prints MB/s of each, and the ratio.
 */
#include <stdio.h>
#include <string.h>

#include "init/base/log.h"
#include "init/base/text.h"
#include "tunnel/net/addr.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/path_stream.h"
#include "tunnel/net/stream_listener.h"

static uv_loop_t loop;
static struct quic_batch batch;
static uint64_t total, received, sent, started_at, ended_at;
static struct path *sender, *receiver;
static struct udp udp_a, udp_b;
static bool by_udp;

static void came(size_t len)
{
	received += len;
	if (received < total * 9 / 10)
		return;
	ended_at = clock_now();
	uv_stop(&loop);
}

static void pump(void)
{
	while (sent < total && !sender->blocked) {
		sent += batch.len;
		if (!path_send(sender, &batch))
			break;
	}
}

static void on_received(struct path *path, void *user, const struct udp_datagrams *d)
{
	(void)path;
	(void)user;
	came(d->bytes.len);
}

static void on_writable(struct path *path, void *user)
{
	(void)user;
	if (path == sender)
		pump();
}

static void on_refused(struct path *path, void *user)
{
	(void)path;
	(void)user;
}

static void on_over(struct path *path, void *user, const struct err *why)
{
	(void)path;
	(void)user;
	log_error("%s", why->text);
	uv_stop(&loop);
}

static const struct path_user_ops path_ops = {
	.received = on_received, .writable = on_writable, .refused = on_refused, .over = on_over
};

static void on_accepted(void *owner, struct path *path)
{
	(void)owner;
	receiver = path;
	path_use(path, &path_ops, NULL);
}

static double rate(void)
{
	return (double)received * 1e3 / (double)(ended_at - started_at);
}

static double by_stream(void)
{
	struct stream_listener_config config = { .loop = &loop, .accepted = on_accepted };
	struct addr_list to = { .len = 1 };
	struct path_stream_config dial = { .loop = &loop, .to = &to };
	struct stream_listener *listener;
	struct err err;

	if (!addr_parse_listen("127.0.0.1:0", &config.listen))
		return 0;
	listener = stream_listener_new(&config, &err);
	if (!listener)
		return 0;
	to.items[0] = *stream_listener_local(listener);
	received = sent = 0;
	sender = path_stream_new(&dial);
	path_use(sender, &path_ops, NULL);
	started_at = clock_now();
	uv_run(&loop, UV_RUN_DEFAULT);
	path_close(sender);
	path_close(receiver);
	stream_listener_close(listener);
	uv_run(&loop, UV_RUN_DEFAULT);
	return rate();
}

/* By UDP: what is received is asked for at once, or it would be lost. */
static void on_datagrams(struct udp *udp, void *owner, const struct udp_datagrams *d)
{
	(void)udp;
	(void)owner;
	came(d->bytes.len);
}

static void send_some(void)
{
	for (int i = 0; i < 2 && !udp_is_blocked(&udp_a); i++) {
		memcpy(udp_batch(&udp_a), &batch, sizeof(batch));
		udp_batch(&udp_a)->path =
			(struct quic_path){ .local = udp_a.local, .remote = udp_b.local };
		sent += batch.len;
		(void)udp_send(&udp_a);
	}
}

static void on_turn(struct udp *udp, void *owner)
{
	(void)owner;
	if (udp == &udp_b)
		send_some();
}

static void on_quiet(struct udp *udp, void *owner)
{
	(void)udp;
	(void)owner;
}

static double by_socket(void)
{
	static const struct udp_ops ops = { on_datagrams, on_turn, on_quiet, on_quiet };
	struct udp_config config = { .ops = &ops };
	struct err err;

	by_udp = true;
	if (!addr_parse_listen("127.0.0.1:0", &config.listen) ||
	    udp_open(&udp_b, &loop, &config, &err) < 0)
		return 0;
	config = (struct udp_config){ .ops = &ops, .remote = udp_b.local };
	if (udp_open(&udp_a, &loop, &config, &err) < 0)
		return 0;
	received = sent = 0;
	started_at = clock_now();
	send_some();
	uv_run(&loop, UV_RUN_DEFAULT);
	udp_close(&udp_a, NULL);
	udp_close(&udp_b, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	return rate();
}

int main(int argc, char **argv)
{
	uint64_t mib = 2048, segment = 16000;
	double stream, socket;

	if ((argc > 1 && !text_parse_uint(argv[1], 1 << 20, &mib)) ||
	    (argc > 2 && !text_parse_uint(argv[2], QUIC_DATAGRAM_MAX, &segment)) || segment < 21) {
		fprintf(stderr, "usage: bench-carrier [MIB [DATAGRAM]]\n");
		return 64;
	}
	uv_loop_init(&loop);
	total = mib << 20;
	batch.segment = (size_t)segment;
	batch.len = MIN(QUIC_BATCH_SEGMENTS_MAX, QUIC_BATCH_MAX / segment) * segment;
	memset(batch.bytes, 'x', batch.len);
	stream = by_stream();
	socket = by_socket();
	printf("datagrams of %zu bytes: stream %.0f MB/s, udp %.0f MB/s, ratio %.2f\n",
	       batch.segment, stream, socket, socket > 0 ? stream / socket : 0);
	uv_loop_close(&loop);
	return 0;
}
