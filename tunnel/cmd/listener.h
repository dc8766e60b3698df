/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A socket here on which connections for the job come in: TCP on an address of ours, or a Unix
 * socket (mode 0600: it leads into the job). A Unix socket that nobody serves any more is replaced,
 * any other file never is; ours is removed at the end.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "tunnel/cmd/forward_spec.h"
#include "tunnel/services/port.h"

struct listener;

struct listener_ops {
	/* A connection, non-blocking, now the callee's. */
	void (*accepted)(struct listener *listener, int fd);
};

struct listener {
	struct port port;
	const struct listener_ops *ops;
	struct forward_end local; /* with the port that was chosen */
	dev_t device;		  /* what the path was when it was made */
	ino_t inode;
};

/* ERR_EXISTS: somebody listens there. local->host is an address, never a name. */
int listener_open(struct listener *listener, uv_loop_t *loop, const struct forward_end *local,
		  const struct listener_ops *ops, struct err *err) attr_must_use;
void listener_close(struct listener *listener);
/* Not for a while, since there are too many; connections wait in the kernel. */
void listener_pause(struct listener *listener, bool pause);
