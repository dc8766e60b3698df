/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What tests of byte streams share: a loop that ends a test that hangs, a port on loopback that
 * keeps whom it accepts or answers them with fixed words, and bytes that can be told apart.
 */

#include <uv.h>

#include "tunnel/net/stream.h"
#include "tunnel/net/stream_port.h"

extern uv_loop_t parties_loop;

void parties_open(void);
/* Everything must have been closed: the loop has to be empty. */
void parties_close(void);
/* Runs the loop until a condition holds; fails the test after twenty seconds. */
void parties_until(bool (*done)(void));

/*
 * A port whose guests get the words at once, or nothing when they are NULL, and then stay
 * connected. What they say is in heard.
 */
struct talker {
	struct stream_port *port;
	const char *words;
	uv_poll_t poll;
	int fd; /* the last guest; -1: none */
	unsigned int guests;
	struct quic_addr from;
	struct buf heard;
};

void talker_open(struct talker *talker, const char *words);
void talker_close(struct talker *talker);
uint16_t talker_port(const struct talker *talker);

/* Byte number i of everybody's data. */
static inline uint8_t parties_byte(size_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}
