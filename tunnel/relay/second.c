/* SPDX-License-Identifier: MIT */
/* Answers of STUN from a second address; see second.h. */
#include "second.h"

#include <string.h>

#include "init/base/alloc.h"
#include "tunnel/ice/stun.h"
#include "tunnel/net/udp.h"

#define BINDING_SUCCESS 0x0101u
#define XOR_MAPPED_ADDRESS 0x0020u
#define COOKIE 0x2112a442u
#define FAMILY_V4 1
#define FAMILY_V6 2

struct second {
	struct udp udp;
	const struct core *core;
};

/* The cookie and the transaction, with which an address is mixed (RFC 8489 section 14.2). */
static void mix(uint8_t *bytes, size_t len, const uint8_t transaction[STUN_TRANSACTION_LEN])
{
	static const uint8_t cookie[] = { 0x21, 0x12, 0xa4, 0x42 };

	for (size_t i = 0; i < len; i++)
		bytes[i] ^= i < sizeof(cookie) ? cookie[i] : transaction[i - sizeof(cookie)];
}

bool second_answer(struct span request, const struct quic_addr *from, struct buf *b)
{
	bool is_v6 = from->any.sa_family == AF_INET6;
	size_t len = is_v6 ? 16 : 4;
	struct stun_message message;
	uint8_t address[16];
	struct err err;
	uint16_t port;

	if (!stun_is(request) || stun_parse(request, &message, &err) < 0 ||
	    message.class != STUN_REQUEST)
		return false;
	memcpy(address, is_v6 ? (const void *)&from->v6.sin6_addr : &from->v4.sin_addr, len);
	mix(address, len, message.transaction);
	port = ntohs(is_v6 ? from->v6.sin6_port : from->v4.sin_port);
	return buf_append_u32(b, BINDING_SUCCESS << 16 | (uint32_t)(8 + len)) &&
	       buf_append_u32(b, COOKIE) &&
	       buf_append(b, message.transaction, sizeof(message.transaction)) &&
	       buf_append_u32(b, XOR_MAPPED_ADDRESS << 16 | (uint32_t)(4 + len)) &&
	       buf_append_u32(b, (uint32_t)(is_v6 ? FAMILY_V6 : FAMILY_V4) << 16 |
					 (uint32_t)(port ^ (COOKIE >> 16))) &&
	       buf_append(b, address, len);
}

static void on_received(struct udp *udp, void *owner, const struct udp_datagrams *d)
{
	const struct second *second = owner;
	struct span rest = d->bytes;

	if (!legs_know(second->core->legs, &d->path.remote))
		return;
	while (rest.len > 0) {
		struct span request = span_cut(&rest, MIN(rest.len, d->segment));
		cleanup(buf_finish) struct buf b = BUF_INIT(SECOND_ANSWER_MAX);

		if (second_answer(request, &d->path.remote, &b))
			(void)udp_pass(udp, &d->path, 0, buf_len(&b), buf_span(&b));
	}
}

static void on_nothing(struct udp *udp, void *owner)
{
	(void)udp;
	(void)owner;
}

static const struct udp_ops udp_ops = { on_received, on_nothing, on_nothing, on_nothing };

static void on_closed(struct udp *udp, void *owner)
{
	(void)udp;
	free(owner);
}

struct second *second_new(uv_loop_t *loop, const struct core *core, const struct quic_addr *listen,
			  struct err *err)
{
	struct second *second = new_zero(struct second);
	const struct udp_config config = { .listen = *listen, .ops = &udp_ops, .owner = second };

	second->core = core;
	if (udp_open(&second->udp, loop, &config, err) < 0) {
		free(second);
		return NULL;
	}
	return second;
}

void second_close(struct second *second)
{
	if (second)
		udp_close(&second->udp, on_closed);
}
