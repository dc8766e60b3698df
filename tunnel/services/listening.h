/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Sockets on which the job listens for the workstation, and what they leave in the file system.
 *
 * TCP is for loopback; other addresses need an entry of the allow list that names them (or "*").
 * "localhost" is 127.0.0.1 and, where there is IPv6, ::1 at the same port.
 *
 * A Unix socket is made with mode 0600 and is unlinked with its listener, if it is still ours by
 * then. One that nobody serves any more, because a tunnel was killed, is replaced if it is this
 * user's; one that answers never is. A private socket lies in a directory of its own (0700) below
 * XDG_RUNTIME_DIR, TMPDIR, /tmp, /var/tmp, /dev/shm or the job directory, whichever takes it first;
 * directories that dead tunnels left there go on the way.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "init/base/err.h"
#include "tunnel/services/target.h"
#include "tunnel/wire/listen.h"

#define LISTENING_FDS_MAX 2

struct listening_config {
	char *const *environment; /* where XDG_RUNTIME_DIR and TMPDIR are looked up */
	const char *dir;	  /* the job directory, an absolute path */
	char *const *allow;	  /* see target.h */
	size_t allow_len;
};

struct listening {
	int fds[LISTENING_FDS_MAX]; /* non-blocking; whoever takes one puts -1 in its place */
	size_t fds_len;
	uint16_t port;			/* TCP */
	char path[TARGET_PATH_MAX + 1]; /* Unix; empty for TCP */
	bool is_private;		/* the directory goes with the socket */
	dev_t device;			/* what the path was when it was made */
	ino_t inode;
};

/*
 * ERR_DENIED: not allowed, or the system said so; ERR_EXISTS: somebody listens there; ERR_INVALID:
 * not an address of this host, or not a path for a socket.
 */
int listening_open(const struct listening_config *config, const struct listen_start *start,
		   struct listening *ret, struct err *err) attr_must_use;

/* Closes what was not taken and removes the socket from the file system. */
void listening_close(struct listening *listening);
