/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The stream half of tunnel/h3/conn.h in memory, for tests of services: what the service writes is
 * taken by the test, what the test sends is handed to the service. It keeps the contract strictly:
 * a send buffer in chunks with a limit, writable() only after room was found too small, body()
 * within a receive window, no callback after a rejection, closed() at the end.
 */

#include <stdbool.h>

#include "init/base/buf.h"
#include "tunnel/h3/conn.h"

#define FAKE_H3_WINDOW (1024 * 1024)

struct h3_stream {
	const struct h3_stream_ops *ops;
	void *user;
	int status;	   /* what the service answered; 0: nothing yet */
	struct buf error;  /* the text of a rejection */
	struct buf send;   /* written and not taken */
	size_t send_max;   /* most bytes that send ever held */
	bool ended, reset; /* by the service */
	bool lent, starved;
	uint64_t heard_at; /* set by the test; always just now if it does not */
	size_t unconsumed; /* sent to the service and not consumed */
	size_t consumed;
};

struct h3_stream *fake_h3_new(void);

/* The stream is over: tells the service and frees it. */
struct h3_stream *fake_h3_close(struct h3_stream *stream);

/* Hands as many bytes to the service as the window takes; returns how many. */
size_t fake_h3_send(struct h3_stream *stream, struct span bytes);
void fake_h3_send_end(struct h3_stream *stream);

/* The network took len bytes of what was written; len must not exceed what is there. */
void fake_h3_taken(struct h3_stream *stream, size_t len);
