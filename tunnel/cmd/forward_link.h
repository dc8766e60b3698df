/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Connections that came in here, each on a stream to the job. What happens to one is its own
 * business: it is refused, ends, stalls or breaks alone. Each direction ends by itself. What a
 * reader does not take holds up its own stream and nothing else; at most the stream's window waits.
 *
 * While there is no connection to the job, new ones wait; those that had a stream are reset.
 */

#include <uv.h>

#include "tunnel/cmd/forward_spec.h"
#include "tunnel/h3/conn.h"

#define FORWARD_LINKS_MAX 4096

struct forward_link;

struct forward_links {
	uv_loop_t *loop;
	const char *name; /* of the job, for messages */
	struct h3_conn *conn;
	struct forward_link *first;
	size_t len;
	bool dirty; /* something waits to be written */
	/* There is one less: one more may be accepted. */
	void (*freed)(struct forward_links *links);
};

/* Takes the socket over. remote is borrowed for as long as the loop runs. */
void forward_links_add(struct forward_links *links, int fd, const struct forward_end *remote);

void forward_links_connect(struct forward_links *links, struct h3_conn *conn);
/* The connection is over, and its streams had their closed(). */
void forward_links_disconnect(struct forward_links *links);
/* At the end of a turn: writes what came. */
void forward_links_turn(struct forward_links *links);
/* Gives all of it back to the loop, after the connection was closed. */
void forward_links_close(struct forward_links *links);
