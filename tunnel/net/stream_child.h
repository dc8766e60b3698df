/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A program whose standard input and output are one socket: `ssh -W host:port login`. It runs in a
 * session of its own, without a terminal: Ctrl-C does not reach it, and it cannot ask anybody
 * anything but through what the user has set up for that (an agent, SSH_ASKPASS). What it says on
 * standard error is not shown; the end of it is kept, to say why it ended.
 *
 *	struct stream_child *child = stream_child_new(loop, argv, ended, me, &fd, err);
 */

#include <uv.h>

#include "init/base/err.h"

struct stream_child;

/* It has ended by itself; stream_child_close() it. */
typedef void stream_child_ended(void *owner);

/*
 * *ret_fd is our end of the socket, and the caller's. NULL-ended argv; argv[0] is looked for on the
 * PATH.
 */
struct stream_child *stream_child_new(uv_loop_t *loop, const char *const *argv,
				      stream_child_ended *ended, void *owner, int *ret_fd,
				      struct err *err) attr_must_use;
/* Why it ended: its last words, or its status. */
int stream_child_error(const struct stream_child *child, struct err *err);
/*
 * Ends it (SIGTERM, and SIGKILL a second later); ended() is not called any more, and the loop frees
 * it when it is gone. NULL is fine.
 */
void stream_child_close(struct stream_child *child);
