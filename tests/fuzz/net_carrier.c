/* SPDX-License-Identifier: MIT */
/*
 * What a carrier makes of a stream is what the plain capsule reader makes of it: the same datagrams
 * with the same borders, and the same capsules, in the same order, however the bytes are split. The
 * first byte chooses the split.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tunnel/net/carrier.h"
#include "tunnel/wire/capsule.h"

#define INPUT_MAX 40000
#define DATAGRAM_MIN 21

struct seen {
	uint64_t sum;
	size_t datagrams, capsules;
	bool is_over;
};

static uv_loop_t loop;
static struct carrier *carrier;
static struct stream *guest;
static struct seen *seen_now;

static void mix(struct seen *seen, uint64_t type, struct span bytes)
{
	seen->sum = (seen->sum ^ type ^ bytes.len) * UINT64_C(0x100000001b3);
	for (size_t i = 0; i < bytes.len; i++)
		seen->sum = (seen->sum ^ bytes.ptr[i]) * UINT64_C(0x100000001b3);
}

/* By the carrier */

static void on_datagrams(struct carrier *c, void *owner, const struct udp_datagrams *d)
{
	struct span rest = d->bytes;

	(void)c;
	(void)owner;
	assert(rest.len > 0 && rest.len <= QUIC_BATCH_MAX && d->segment >= DATAGRAM_MIN);
	for (size_t count = 0; rest.len > 0; count++) {
		assert(count < QUIC_BATCH_SEGMENTS_MAX);
		mix(seen_now, 0, span_cut(&rest, MIN(rest.len, d->segment)));
		seen_now->datagrams++;
	}
}

static int on_capsule(struct carrier *c, void *owner, uint64_t type, struct span value,
		      struct err *err)
{
	(void)c;
	(void)owner;
	(void)err;
	assert(value.len <= CARRIER_VALUE_MAX);
	mix(seen_now, type, value);
	seen_now->capsules++;
	return 0;
}

static void on_writable(struct carrier *c, void *owner)
{
	(void)c;
	(void)owner;
}

static void on_over(struct carrier *c, void *owner, const struct err *why)
{
	(void)c;
	(void)owner;
	(void)why;
	seen_now->is_over = true;
}

static const struct carrier_ops carrier_ops = {
	.datagrams = on_datagrams,
	.capsule = on_capsule,
	.writable = on_writable,
	.over = on_over,
};

static void on_request(struct stream *stream, void *owner, const struct http1_head *head)
{
	(void)owner;
	if (stream_accept(stream, head, "fuzz"))
		carrier = carrier_new(stream, &loop, &carrier_ops, NULL);
	guest = NULL;
}

static void on_guest_over(struct stream *stream, void *owner, const struct err *why)
{
	(void)stream;
	(void)owner;
	(void)why;
}

static const struct stream_ops guest_ops = { .request = on_request, .over = on_guest_over };

static void say(int fd, struct span bytes)
{
	assert(send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL) == (ssize_t)bytes.len);
	uv_run(&loop, UV_RUN_NOWAIT);
	uv_run(&loop, UV_RUN_NOWAIT);
}

static void by_carrier(struct span input, size_t step, struct seen *seen)
{
	static const char head[] = "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: fuzz\r\n\r\n";
	struct stream_accept_config config = { .loop = &loop };
	int pair[2];

	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	seen_now = seen;
	carrier = NULL;
	config.fd = pair[0];
	guest = stream_new_accepted(&config, &guest_ops, NULL);
	say(pair[1], span_of(head, strlen(head)));
	assert(carrier);
	while (input.len > 0 && !seen->is_over)
		say(pair[1], span_cut(&input, MIN(step, input.len)));
	carrier_close(carrier);
	close(pair[1]);
	uv_run(&loop, UV_RUN_DEFAULT);
}

/* By the plain reader */

static bool is_stream(void *user, uint64_t type)
{
	(void)user;
	(void)type;
	return false;
}

static int whole(void *user, uint64_t type, struct span value, struct err *err)
{
	struct seen *seen = user;

	if (type != CARRIER_DATAGRAM && value.len > CARRIER_VALUE_MAX)
		return err_set(err, ERR_LIMIT, "too long");
	if (type == CARRIER_PONG ||
	    (type == CARRIER_DATAGRAM && (value.len < DATAGRAM_MIN || value.len > QUIC_BATCH_MAX)))
		return 0;
	mix(seen, type, value);
	seen->datagrams += type == CARRIER_DATAGRAM;
	seen->capsules += type != CARRIER_DATAGRAM;
	return 0;
}

static bool by_reader(struct span input, struct seen *seen)
{
	static const struct capsule_ops ops = { .is_stream = is_stream, .whole = whole };
	struct capsule_reader reader;
	int result;

	capsule_reader_init(&reader, &ops, seen, 65527);
	result = capsule_reader_feed(&reader, input, NULL);
	capsule_reader_finish(&reader);
	return result == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct seen carried = { 0 }, plain = { 0 };
	struct span input = span_of(bytes, MIN(len, INPUT_MAX));
	size_t step;

	if (!loop.data) {
		uv_loop_init(&loop);
		loop.data = &loop;
	}
	if (input.len == 0)
		return 0;
	/* In few pieces if there is much: each costs a turn of the loop. */
	step = (size_t)1 + span_cut(&input, 1).ptr[0] + input.len / 16;
	by_carrier(input, step, &carried);
	/* The reader takes the length of a long capsule for good until all of it is there. */
	if (!by_reader(input, &plain) || carried.is_over)
		return 0;
	assert(carried.sum == plain.sum);
	assert(carried.datagrams == plain.datagrams && carried.capsules == plain.capsules);
	return 0;
}
