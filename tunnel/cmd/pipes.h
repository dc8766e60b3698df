/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Standard input and output on a libuv loop, as ssh gives them to a ProxyCommand: two pipes, or one
 * socketpair twice. Each direction ends by itself. Both descriptors are made non-blocking for as
 * long as this is open, and given back as they were, since they may be shared with other processes.
 */

#include <stdbool.h>
#include <uv.h>

#include "init/base/err.h"
#include "init/base/span.h"

#define PIPES_READ_MAX (256 * 1024)

struct pipes_ops {
	/* Borrowed for the call. */
	void (*input)(void *owner, struct span bytes);
	/* No more input, or nobody reads the output any more. May be called more than once. */
	void (*ended)(void *owner);
	/* pipes_write() takes bytes again. */
	void (*writable)(void *owner);
};

struct pipes {
	uv_poll_t in, out;
	int in_flags, out_flags; /* as they were */
	bool open, reading, waiting;
	unsigned int handles;
	const struct pipes_ops *ops;
	void *owner;
	void (*closed)(void *owner);
	uint8_t buffer[PIPES_READ_MAX];
};

int pipes_open(struct pipes *pipes, uv_loop_t *loop, const struct pipes_ops *ops, void *owner,
	       struct err *err) attr_must_use;
/* The memory is the owner's again once closed was called; at once when it was never opened. */
void pipes_close(struct pipes *pipes, void (*closed)(void *owner));

/* Whether input is wanted; false at first. */
void pipes_want_input(struct pipes *pipes, bool want);

/* Writes what fits now; returns how much. writable() follows when that was less than all. */
size_t pipes_write(struct pipes *pipes, struct span bytes);
