/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A descriptor on the loop: a pipe, a pty or a socket, watched for what its owner wants just now.
 *
 * Polling is level-triggered: whoever is told that a descriptor is readable reads it or stops
 * wanting to. Errors and hang-ups are not told apart from readiness: the next read(2) or write(2)
 * knows more.
 */

#include <stdbool.h>
#include <uv.h>

#include "init/base/err.h"

struct port;

struct port_ops {
	/*
	 * events: UV_READABLE and UV_WRITABLE, only what is wanted. The port may be closed in it.
	 */
	void (*ready)(struct port *port, int events);
	/* After port_close(): the memory is the owner's again. */
	void (*closed)(struct port *port);
};

struct port {
	uv_poll_t poll;
	int fd; /* -1 once closed */
	int wanted;
	const struct port_ops *ops;
	void *owner;
};

/* Takes the descriptor over and makes it non-blocking, also when it fails (then it is closed). */
int port_open(struct port *port, uv_loop_t *loop, int fd, const struct port_ops *ops, void *owner,
	      struct err *err) attr_must_use;

static inline bool port_is_open(const struct port *port)
{
	return port->ops && port->fd >= 0;
}

/* events is UV_READABLE or UV_WRITABLE. */
void port_want(struct port *port, int events, bool on);

/* Closes the descriptor at once; ops->closed follows in a later turn of the loop. */
void port_close(struct port *port);
