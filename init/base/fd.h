/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Descriptors. Every descriptor is close-on-exec from birth. Functions retry EINTR.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "buf.h"
#include "err.h"

/* open(2) with O_CLOEXEC added; -1 and errno. */
int fd_open(const char *path, int flags) attr_must_use;
int fd_open_mode(const char *path, int flags, mode_t mode) attr_must_use;

/* Reads to the end; ERR_LIMIT when there are more than max bytes. Appends to *ret. */
int fd_read_all(int fd, size_t max, struct buf *ret, struct err *err) attr_must_use;

/* Writes everything, waiting where it has to. */
int fd_write_all(int fd, struct span bytes, struct err *err) attr_must_use;

int fd_set_nonblock(int fd, bool on, struct err *err) attr_must_use;

/* Closes unless negative; returns -1, so that `x->fd = fd_close(x->fd)` reads well. Keeps errno. */
int fd_close(int fd);
