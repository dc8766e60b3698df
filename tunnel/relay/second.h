/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The relay's second UDP address, for telling what kind of NAT an endpoint is behind (RFC 4787
 * section 4.1): whether the mapping that it has towards the relay's first address is the same
 * towards another. It answers Binding requests of STUN (RFC 8489) with the address that they came
 * from, and nothing else, and only hosts from which somebody is registered: so nobody can be made
 * to receive what he did not ask for.
 */

#include <uv.h>

#include "init/base/buf.h"
#include "tunnel/relay/core.h"

struct second;

/* listen must name an address and a port. */
struct second *second_new(uv_loop_t *loop, const struct core *core, const struct quic_addr *listen,
			  struct err *err) attr_must_use;
/* Frees itself later; NULL is ignored. */
void second_close(struct second *second);

/*
 * The answer to a request from an address; false: it is none. At most 44 bytes for 20; needs no
 * socket.
 */
#define SECOND_ANSWER_MAX 44
bool second_answer(struct span request, const struct quic_addr *from, struct buf *b) attr_must_use;
