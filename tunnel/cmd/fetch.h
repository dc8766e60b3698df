/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A request with a small answer: GET /info, POST /keys. The whole body is collected.
 *
 *	struct fetch_request request = { .method = "GET", .path = "/stat", .max = 64 * 1024 };
 *
 *	fetch(conn, &request, done, owner);
 */

#include "init/base/buf.h"
#include "tunnel/h3/conn.h"

struct fetch_request {
	const char *method, *path; /* borrowed for the call */
	struct span body;	   /* copied; at most H3_SEND_MAX bytes */
	size_t max;		   /* a longer answer is an error */
};

/*
 * Called once. body is borrowed and NULL when it failed: then *why has the kind that belongs to the
 * status, and the job's words. Not a place to close the connection; remote_end() may be called.
 */
typedef void fetch_done(void *owner, struct buf *body, const struct err *why);

void fetch(struct h3_conn *conn, const struct fetch_request *request, fetch_done *done,
	   void *owner);
