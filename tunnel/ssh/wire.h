/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * SSH's data types (RFC 4251 section 5), read and written.
 *
 * A reader is sticky: once something is missing or too long it is bad, every further read yields
 * zero or an empty span, and wire_end() says so at the end. A parser is therefore a list of reads
 * followed by one question:
 *
 *	struct wire r = wire_of(payload);
 *	uint32_t id = wire_u32(&r);
 *	struct span name = wire_string(&r, 64);
 *
 *	if (!wire_end(&r))
 *		return malformed(err, "CHANNEL_REQUEST");
 *
 * Spans point into the payload. Writers append to a buffer of which the caller knows that the
 * message fits: what a peer chooses is limited by the reader, so that running over is a bug.
 */

#include <stdbool.h>

#include "init/base/buf.h"

struct wire {
	struct span left;
	bool bad;
};

static inline struct wire wire_of(struct span bytes)
{
	return (struct wire){ .left = bytes };
}

uint8_t wire_u8(struct wire *r);
uint32_t wire_u32(struct wire *r);
bool wire_bool(struct wire *r); /* any value but 0 is true */

/* A string of at most max bytes. */
struct span wire_string(struct wire *r, size_t max);

/*
 * A string that can be a C string: at most max bytes, no NUL inside. The copy is to be freed; NULL,
 * and the reader bad, when it is not one.
 */
char *wire_text(struct wire *r, size_t max) attr_must_use;

/* Exactly len bytes, without a length before them. */
struct span wire_bytes(struct wire *r, size_t len);

/* What is left, whatever it is. */
struct span wire_rest(struct wire *r);

/* Whether everything was there and nothing is left. */
bool wire_end(const struct wire *r);

void wire_put_u8(struct buf *b, uint8_t v);
void wire_put_u32(struct buf *b, uint32_t v);
void wire_put_string(struct buf *b, struct span s);
void wire_put_text(struct buf *b, const char *s);

/* A number that is not negative, given as big-endian bytes, as an mpint. */
void wire_put_mpint(struct buf *b, struct span magnitude);

/* Big-endian integers in place. */
static inline uint32_t wire_load_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void wire_store_u32(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 24);
	at[1] = (uint8_t)(v >> 16);
	at[2] = (uint8_t)(v >> 8);
	at[3] = (uint8_t)v;
}

/*
 * Name-lists (RFC 4251 section 5): whether the list has the name, and the first name of it. Names
 * that are empty or out of the allowed characters never match anything of ours.
 */
bool wire_list_has(struct span list, struct span name);
struct span wire_list_next(struct span *list); /* cuts the first name off; empty at the end */
