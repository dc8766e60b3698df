/* SPDX-License-Identifier: MIT */
#pragma once

/* What a session asks for, run on this machine: for ssh_loopback.c only. */

#include <sys/types.h>

#include "tunnel/ssh/server.h"

struct spawned {
	pid_t pid;
	int in, out, err; /* ours to close; with a terminal err is -1 */
};

/* False for a subsystem, of which there is none, and when it cannot be started. */
bool spawn(const struct ssh_start *start, struct spawned *ret);

void spawn_resize(int fd, const struct ssh_pty *size);
