/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One client connection by one path (path.h): a timer, QUIC and HTTP/3 on a libuv loop. race.c
 * starts several of them and keeps the first that is ready; later the winner moves to whatever path
 * is best.
 *
 * An attempt frees itself: attempt_close() says goodbye to the peer and gives everything back to
 * the loop.
 */

#include <uv.h>

#include "tunnel/h3/conn.h"
#include "tunnel/net/path.h"
#include "tunnel/quic/conn.h"

struct attempt;

struct attempt_ops {
	/* The peer proved its key and its SETTINGS arrived. */
	void (*ready)(struct attempt *attempt, void *owner);
	/*
	 * It is over, for this reason, and sends and hears nothing more. The owner calls
	 * attempt_close(), now or later; until then its h3_conn holds the early requests.
	 */
	void (*over)(struct attempt *attempt, void *owner, const struct err *why);
	/* Optional. A ticket for the next connection came; borrowed. */
	void (*ticket)(struct attempt *attempt, void *owner, const struct quic_ticket *ticket);
	/* Optional. A trial has succeeded; see attempt_try(). */
	void (*moved)(struct attempt *attempt, void *owner);
};

struct attempt_config {
	uv_loop_t *loop;
	const struct tls_context *tls;	  /* borrowed; must outlive the attempt */
	const struct quic_ticket *ticket; /* NULL, or for early requests; borrowed for the call */
	struct quic_settings settings;
	struct quic_tag tag, peer_tag; /* of our ids, of the server's first one; all zero: none */
	struct path *path;	       /* taken, whatever comes of it */
	const struct attempt_ops *ops;
	void *owner;
};

struct attempt *attempt_new(const struct attempt_config *config, struct err *err) attr_must_use;
/* Nothing is called back any more; NULL is fine. */
void attempt_close(struct attempt *attempt);

/* From now on somebody else is told. */
void attempt_set_ops(struct attempt *attempt, const struct attempt_ops *ops, void *owner);

struct h3_conn *attempt_h3(struct attempt *attempt);
/* The path in use. */
const struct path *attempt_path(const struct attempt *attempt);

/* The peer proved its key and its SETTINGS arrived, and it is not over. */
bool attempt_is_ready(const struct attempt *attempt);
/* Whether anything came back. */
bool attempt_is_heard(const struct attempt *attempt);

/* Whether the kernel would now choose another local address than the one in use. */
bool attempt_is_misplaced(const struct attempt *attempt);

/* Renews the path in use and moves there: from whatever address the kernel chooses now. */
int attempt_migrate(struct attempt *attempt, struct err *err) attr_must_use;
/*
 * Moves to another path at once, which is taken, and gives the former one back. On failure all is
 * as it was, and the new path is the caller's to close. ERR_LIMIT when seven moves in a row met no
 * answer.
 */
int attempt_move(struct attempt *attempt, struct path *path, struct err *err) attr_must_use;

/*
 * Tries another path, which is taken, beside the one in use, and moves there once the peer has
 * answered by it; attempt_path() tells. One at a time: a second one ends the first, and
 * attempt_end_trial() gives up. On failure the path is the caller's.
 */
int attempt_try(struct attempt *attempt, struct path *path, struct err *err) attr_must_use;
bool attempt_is_trying(const struct attempt *attempt);
void attempt_end_trial(struct attempt *attempt);

/*
 * When the kernel first said that nobody receives at the other end, unless a packet came after it;
 * CLOCK_NEVER otherwise. During the handshake that ends the attempt; later it is a hint.
 */
uint64_t attempt_refused_since(const struct attempt *attempt);
