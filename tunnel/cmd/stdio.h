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

#define STDIO_READ_MAX (256 * 1024)

struct stdio_ops {
	/* Borrowed for the call. */
	void (*input)(void *owner, struct span bytes);
	/* No more input, or nobody reads the output any more. May be called more than once. */
	void (*ended)(void *owner);
	/* stdio_write() takes bytes again. */
	void (*writable)(void *owner);
};

struct stdio {
	uv_poll_t in, out;
	int in_flags, out_flags; /* as they were */
	bool open, reading, waiting;
	unsigned int handles;
	const struct stdio_ops *ops;
	void *owner;
	void (*closed)(void *owner);
	uint8_t buffer[STDIO_READ_MAX];
};

int stdio_open(struct stdio *stdio, uv_loop_t *loop, const struct stdio_ops *ops, void *owner,
	       struct err *err) attr_must_use;
/* The memory is the owner's again once closed was called; at once when it was never opened. */
void stdio_close(struct stdio *stdio, void (*closed)(void *owner));

/* Whether input is wanted; false at first. */
void stdio_want_input(struct stdio *stdio, bool want);

/* Writes what fits now; returns how much. writable() follows when that was less than all. */
size_t stdio_write(struct stdio *stdio, struct span bytes);
