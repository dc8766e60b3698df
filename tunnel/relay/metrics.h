/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A listener for those who watch over a relay: GET /metrics in Prometheus' text format (version
 * 0.0.4), GET /health, which says "ok" or, while draining, 503. HTTP/1.0, one request a connection.
 * It is meant for the site's own network; whoever reaches it learns numbers, and the names in the
 * file of tokens.
 *
 * At most METRICS_CONNS_MAX connections are there at once, each for METRICS_TIME_MS at the longest,
 * and a request has at most METRICS_HEAD_MAX bytes.
 */

#include <uv.h>

#include "init/base/buf.h"
#include "init/base/err.h"
#include "tunnel/quic/conn.h"

#define METRICS_CONNS_MAX 16
#define METRICS_HEAD_MAX 2048
#define METRICS_TIME_MS 5000
#define METRICS_TEXT_MAX (4 * 1024 * 1024)

struct metrics;

struct metrics_ops {
	/* Appends the text of /metrics. */
	void (*write)(void *owner, struct buf *b);
	bool (*is_healthy)(void *owner);
};

struct metrics *metrics_new(uv_loop_t *loop, const struct quic_addr *listen,
			    const struct metrics_ops *ops, void *owner, struct err *err)
	attr_must_use;
/* Where it listens, with the port that it got. */
const struct quic_addr *metrics_local(const struct metrics *metrics);
/* Frees itself later; NULL is ignored. */
void metrics_close(struct metrics *metrics);

/* What a request's head asks for; needs no socket. Returns the HTTP status, 0: not all there. */
enum metrics_page { METRICS_PAGE_METRICS, METRICS_PAGE_HEALTH };
int metrics_parse(struct span head, enum metrics_page *ret);
