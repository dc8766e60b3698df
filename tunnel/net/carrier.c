/* SPDX-License-Identifier: MIT */
/* Capsules on a byte stream; see carrier.h. */
#include "carrier.h"

#include <assert.h>
#include <string.h>

#include "init/base/alloc.h"
#include "init/base/buf.h"
#include "tunnel/net/clock.h"
#include "tunnel/wire/capsule.h"
#include "tunnel/wire/varint.h"

/* The longest payload of UDP: no datagram can have been longer before it came here. */
#define DATAGRAM_MAX 65527
/* What is shorter is no QUIC packet (RFC 9000 section 10.3). */
#define DATAGRAM_MIN 21

struct carrier {
	struct stream *stream;
	uv_loop_t *loop;
	const struct carrier_ops *ops;
	void *owner;
	bool up, closing;
	struct buf partial; /* a capsule that is not all there */

	bool has_timer;
	uv_timer_t timer;
	uint64_t keep_alive_ns, patience_ns;
	uint64_t received_at, pinged_at; /* CLOCK_NEVER: no PONG is due */
};

/*
 * Datagrams of one size that came after each other. Only one carrier has something in it: whoever
 * comes next, or the end of the turn, hands it over.
 */
static struct {
	struct carrier *carrier;
	size_t segment, len, count;
	uint8_t bytes[QUIC_BATCH_MAX];
} run;

static void hand_over_run(void)
{
	struct carrier *carrier = run.carrier;
	struct udp_datagrams datagrams = { .segment = run.segment,
					   .bytes = span_of(run.bytes, run.len) };

	run.carrier = NULL;
	run.len = run.count = 0;
	if (carrier && datagrams.bytes.len > 0 && !carrier->closing)
		carrier->ops->datagrams(carrier, carrier->owner, &datagrams);
}

static void take_datagram(struct carrier *c, struct span packet)
{
	if (packet.len < DATAGRAM_MIN || packet.len > sizeof(run.bytes))
		return;
	if (run.carrier != c || packet.len > run.segment || run.count == QUIC_BATCH_SEGMENTS_MAX ||
	    run.len + packet.len > sizeof(run.bytes))
		hand_over_run();
	if (c->closing)
		return;
	if (run.count == 0) {
		run.carrier = c;
		run.segment = packet.len;
	}
	memcpy(run.bytes + run.len, packet.ptr, packet.len);
	run.len += packet.len;
	run.count++;
	if (packet.len < run.segment)
		hand_over_run(); /* a shorter one is the last of its run */
}

static int take_capsule(struct carrier *c, uint64_t type, struct span value, struct err *err)
{
	if (type == CARRIER_DATAGRAM) {
		take_datagram(c, value);
		return 0;
	}
	if (type == CARRIER_PONG) {
		c->pinged_at = CLOCK_NEVER;
		return 0;
	}
	hand_over_run();
	return c->ops->capsule && !c->closing ? c->ops->capsule(c, c->owner, type, value, err) : 0;
}

/* 1: a whole capsule is at the front, and leaves; 0: there is none yet; -1: it is too long. */
static int cut_capsule(struct span *bytes, uint64_t *ret_type, struct span *ret_value,
		       struct err *err)
{
	struct span rest = *bytes;
	uint64_t len;

	if (!varint_read(&rest, ret_type) || !varint_read(&rest, &len))
		return 0;
	if (len > (*ret_type == CARRIER_DATAGRAM ? DATAGRAM_MAX : CARRIER_VALUE_MAX))
		return err_set(err, ERR_LIMIT, "a capsule of %llu bytes", (unsigned long long)len);
	if (rest.len < len)
		return 0;
	*ret_value = span_cut(&rest, (size_t)len);
	*bytes = rest;
	return 1;
}

/* How many bytes more make the capsule at the front whole, as far as it tells; 0: it is. */
static size_t missing(struct span bytes)
{
	struct span rest = bytes;
	uint64_t type, len;

	if (!varint_read(&rest, &type) || !varint_read(&rest, &len))
		return 1;
	return rest.len < len ? (size_t)len - rest.len : 0;
}

/* Bytes for the capsule that began earlier. */
static int complete(struct carrier *c, struct span *bytes, struct err *err)
{
	uint64_t type;
	struct span have, value;
	int found = 0;

	while (bytes->len > 0 && found == 0) {
		size_t wanted = missing(buf_span(&c->partial));

		/* A length that is too great was refused before this could count on it. */
		if (!buf_append_span(&c->partial, span_cut(bytes, MIN(wanted, bytes->len))))
			return err_set(err, ERR_LIMIT, "a capsule is too long");
		have = buf_span(&c->partial);
		found = cut_capsule(&have, &type, &value, err);
	}
	if (found <= 0)
		return found;
	found = take_capsule(c, type, value, err);
	buf_finish(&c->partial);
	return found;
}

static int take(struct carrier *c, struct span bytes, struct err *err)
{
	uint64_t type;
	struct span value;
	int found = 1;

	if (buf_len(&c->partial) > 0 && complete(c, &bytes, err) < 0)
		return -1;
	while (bytes.len > 0 && !c->closing) {
		found = cut_capsule(&bytes, &type, &value, err);
		if (found < 0 || (found == 1 && take_capsule(c, type, value, err) < 0))
			return -1;
		if (found == 1)
			continue;
		if (!buf_append_span(&c->partial, bytes))
			return err_set(err, ERR_LIMIT, "a capsule is too long");
		break;
	}
	return 0;
}

/* What the stream tells */

static void on_received(struct stream *stream, void *owner, struct span bytes)
{
	struct carrier *c = owner;
	struct err why;

	c->received_at = clock_now();
	if (take(c, bytes, &why) == 0 || c->closing)
		return;
	hand_over_run();
	err_wrap(&why, "%s", stream_way(stream));
	stream_fail(stream, &why);
}

static void on_turn(struct stream *stream, void *owner)
{
	struct carrier *c = owner;

	(void)stream;
	hand_over_run();
	if (c->ops->turn && !c->closing)
		c->ops->turn(c, c->owner);
}

static void on_writable(struct stream *stream, void *owner)
{
	struct carrier *c = owner;

	(void)stream;
	if (!c->closing)
		c->ops->writable(c, c->owner);
}

static void on_over(struct stream *stream, void *owner, const struct err *why)
{
	struct carrier *c = owner;

	(void)stream;
	hand_over_run();
	if (!c->closing)
		c->ops->over(c, c->owner, why);
}

static void set_timer(struct carrier *c);

static void on_up(struct stream *stream, void *owner)
{
	struct carrier *c = owner;

	(void)stream;
	c->up = true;
	c->received_at = clock_now();
	set_timer(c);
	if (!c->closing)
		c->ops->up(c, c->owner);
}

static const struct stream_ops stream_ops = {
	.up = on_up,
	.received = on_received,
	.turn = on_turn,
	.writable = on_writable,
	.over = on_over,
};

/* Silence */

static void ping(struct carrier *c)
{
	uint8_t opaque[8] = { 0 };

	/* What is blocked is not idle: TCP itself then ends what is not acknowledged. */
	if (carrier_send(c, CARRIER_PING, span_of(opaque, sizeof(opaque))))
		c->pinged_at = clock_now();
}

static void on_timer(uv_timer_t *timer)
{
	struct carrier *c = timer->data;
	uint64_t now = clock_now();
	struct err why;

	if (c->closing || !c->up)
		return;
	if (c->pinged_at != CLOCK_NEVER && now >= c->pinged_at + c->patience_ns) {
		err_set(&why, ERR_TIMEOUT, "%s: silent", stream_way(c->stream));
		stream_fail(c->stream, &why);
		return;
	}
	if (c->pinged_at == CLOCK_NEVER && now >= c->received_at + c->keep_alive_ns)
		ping(c);
	set_timer(c);
}

static void set_timer(struct carrier *c)
{
	uint64_t now = clock_now(), at = c->received_at + c->keep_alive_ns;

	if (!c->has_timer || !c->up)
		return;
	if (c->pinged_at != CLOCK_NEVER)
		at = c->pinged_at + c->patience_ns;
	uv_timer_start(&c->timer, on_timer, at > now ? (at - now) / NSEC_PER_MSEC + 1 : 0, 0);
}

void carrier_probe(struct carrier *c)
{
	if (!c->up || c->closing || !c->has_timer || c->pinged_at != CLOCK_NEVER)
		return;
	ping(c);
	set_timer(c);
}

/* Sending */

static bool send_part(struct carrier *c, struct span bytes, size_t segment)
{
	uint8_t heads[QUIC_BATCH_SEGMENTS_MAX][CAPSULE_HEAD_MAX];
	struct iovec parts[2 * QUIC_BATCH_SEGMENTS_MAX];
	size_t count = 0;

	for (; bytes.len > 0; count++) {
		struct span packet = span_cut(&bytes, MIN(bytes.len, segment));
		size_t len = capsule_put_head(CARRIER_DATAGRAM, packet.len, heads[count]);

		parts[2 * count] = (struct iovec){ heads[count], len };
		parts[2 * count + 1] =
			(struct iovec){ (uint8_t *)(uintptr_t)packet.ptr, packet.len };
	}
	return stream_write(c->stream, parts, 2 * count);
}

bool carrier_send_run(struct carrier *c, struct span bytes, size_t segment)
{
	assert(c->up && bytes.len <= QUIC_BATCH_MAX && segment > 0);
	while (bytes.len > 0) {
		size_t max = segment > bytes.len / QUIC_BATCH_SEGMENTS_MAX
				     ? bytes.len
				     : segment * QUIC_BATCH_SEGMENTS_MAX;

		/* Blocked in between: the rest still waits behind, there is room for it. */
		if (!send_part(c, span_cut(&bytes, MIN(bytes.len, max)), segment))
			break;
	}
	return !carrier_is_blocked(c);
}

bool carrier_send_batch(struct carrier *c, const struct quic_batch *batch)
{
	return carrier_send_run(c, span_of(batch->bytes, batch->len), batch->segment);
}

bool carrier_send(struct carrier *c, uint64_t type, struct span value)
{
	uint8_t head[CAPSULE_HEAD_MAX];
	struct iovec parts[] = {
		{ head, capsule_put_head(type, value.len, head) },
		{ (uint8_t *)(uintptr_t)value.ptr, value.len },
	};

	assert(c->up);
	return stream_write(c->stream, parts, ARRAY_LEN(parts));
}

bool carrier_send_whole(struct carrier *c, struct span capsules)
{
	struct iovec part = { (uint8_t *)(uintptr_t)capsules.ptr, capsules.len };

	assert(c->up && capsules.len <= STREAM_WRITE_MAX);
	return stream_write(c->stream, &part, 1);
}

void carrier_finish(struct carrier *c, const struct err *why)
{
	stream_finish(c->stream, why);
}

/* Coming and going */

struct carrier *carrier_new(struct stream *stream, uv_loop_t *loop, const struct carrier_ops *ops,
			    void *owner)
{
	struct carrier *c = new_zero(struct carrier);

	c->stream = stream;
	c->loop = loop;
	c->ops = ops;
	c->owner = owner;
	c->up = true;
	c->pinged_at = CLOCK_NEVER;
	buf_init(&c->partial, DATAGRAM_MAX + CAPSULE_HEAD_MAX);
	stream_set_owner(stream, &stream_ops, c);
	return c;
}

struct carrier *carrier_dial(const struct carrier_config *config)
{
	struct carrier *c = new_zero(struct carrier);

	c->loop = config->dial.loop;
	c->ops = config->ops;
	c->owner = config->owner;
	c->pinged_at = CLOCK_NEVER;
	c->keep_alive_ns = config->keep_alive_ns;
	c->patience_ns = config->patience_ns ? config->patience_ns : CARRIER_PATIENCE;
	buf_init(&c->partial, DATAGRAM_MAX + CAPSULE_HEAD_MAX);
	if (c->keep_alive_ns) {
		uv_timer_init(c->loop, &c->timer);
		c->timer.data = c;
		c->has_timer = true;
	}
	c->stream = stream_dial(&config->dial, &stream_ops, c);
	return c;
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct carrier *c = handle->data;

	buf_finish(&c->partial);
	free(c);
}

void carrier_close(struct carrier *c)
{
	if (!c || c->closing)
		return;
	c->closing = true;
	if (run.carrier == c)
		run.carrier = NULL;
	stream_close(c->stream);
	/* It may be closed from inside take(): the memory goes back in a later turn. */
	if (!c->has_timer) {
		uv_timer_init(c->loop, &c->timer);
		c->timer.data = c;
	}
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

bool carrier_is_up(const struct carrier *c)
{
	return c->up;
}

bool carrier_is_blocked(const struct carrier *c)
{
	return stream_is_blocked(c->stream);
}

size_t carrier_waiting(const struct carrier *c)
{
	return stream_waiting(c->stream);
}

const struct quic_addr *carrier_remote(const struct carrier *c)
{
	return stream_remote(c->stream);
}

const char *carrier_way(const struct carrier *c)
{
	return stream_way(c->stream);
}

int carrier_export(const struct carrier *c, const char *label, struct secret *ret, struct err *err)
{
	return stream_export(c->stream, label, ret, err);
}
