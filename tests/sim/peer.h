/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the simulated parties do with their streams. The server answers by path:
 *
 *	/echo        sends the body back, and ends when it ends
 *	/sink        reads the body to its end, then answers with its length and checksum
 *	/source/N    sends N bytes of a known pattern
 *	/hold        accepts and consumes nothing
 *	/refuse      403
 *	/late        sets its callbacks only when it is told to (peer_release_late())
 *
 * The client side is struct peer_stream: it sends a number of patterned bytes, checks what it
 * receives against the pattern, and keeps book.
 */

#include "tests/sim/world.h"

extern const struct h3_conn_ops peer_server_ops;
/* A client's, with a struct peer_client (or NULL) as owner. */
extern const struct h3_conn_ops peer_client_ops;

struct peer_client {
	bool is_ready, is_closed;
	struct err why;
	const struct world *world; /* NULL, or the clock for ready_at */
	uint64_t ready_at;
	struct world_ticket *tickets; /* NULL, or where to keep them */
};

struct peer_stream {
	struct h3_stream *stream; /* NULL once closed */
	const struct world *world;
	uint64_t to_send, sent, received;
	bool keep_open; /* do not end after to_send bytes */
	bool hold;	/* consume nothing */
	bool checks;	/* what is received must be the pattern */
	unsigned int urgency;
	bool is_wrong; /* it was not */
	int status;
	uint64_t answered_at;
	bool ended, closed, has_error;
	struct err why;
	char text[128]; /* the first bytes received */
};

/* Asks for a path with CONNECT and ":protocol: test". */
void peer_request(struct world_client *client, const struct world *world, const char *path,
		  struct peer_stream *stream);
/* Sends more bytes of the pattern. */
void peer_send(struct peer_stream *stream, uint64_t count);

void peer_release_late(void);

/* A client that comes and goes, and leaves its last ticket; the world's requests count from 0. */
void peer_get_ticket(struct world *world, struct world_ticket *ret);

/* For world_run(). */
bool peer_is_ready(const void *peer_client);
bool peer_is_gone(const void *peer_client);
bool peer_is_closed(const void *peer_stream);
bool peer_is_answered(const void *peer_stream);

/* The byte at an offset of the pattern, and a checksum over a run of it. */
void pattern_fill(uint64_t offset, uint8_t *out, size_t len);
bool pattern_matches(uint64_t offset, struct span bytes);
uint64_t pattern_sum(uint64_t sum, struct span bytes);
uint64_t pattern_sum_of(uint64_t count);
