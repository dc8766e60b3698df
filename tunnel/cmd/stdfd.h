/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One of our own standard descriptors on the loop, whatever it is: pipe, terminal, socket, file.
 *
 * O_NONBLOCK belongs to the open file, which other processes share: our shell, the next program in
 * the pipeline. So a terminal or pipe is opened once more, through /proc/self/fd, and what cannot
 * be is given back as it was. What cannot be polled (a file, /dev/null) is always ready, as it is
 * for poll(2).
 */

#include <stdbool.h>
#include <uv.h>

#include "init/base/err.h"
#include "init/base/span.h"

struct stdfd;

struct stdfd_ops {
	/* It can be read, or written, and that is wanted. It may be closed in it. */
	void (*ready)(struct stdfd *stdfd);
};

struct stdfd {
	union {
		uv_poll_t poll;
		uv_idle_t idle;
	} handle;
	const struct stdfd_ops *ops;
	int fd;	   /* -1: closed */
	int given; /* 0, 1 or 2 */
	int flags; /* as they were, if fd is the given one */
	int event; /* UV_READABLE or UV_WRITABLE */
	bool is_polled, wanted;
};

/* event says what it is for. One that nobody gave us (closed) is like one at its end. */
int stdfd_open(struct stdfd *stdfd, uv_loop_t *loop, int given, int event,
	       const struct stdfd_ops *ops, struct err *err) attr_must_use;
/* The memory has to stay until the loop has ended. */
void stdfd_close(struct stdfd *stdfd);

static inline bool stdfd_is_open(const struct stdfd *stdfd)
{
	return stdfd->ops && stdfd->fd >= 0;
}

/* Whether ready() is to be called; not at first. */
void stdfd_want(struct stdfd *stdfd, bool want);

/*
 * How many bytes were read or written; 0: none now. -1: that was all, the end or an error, and it
 * is closed.
 */
ssize_t stdfd_read(struct stdfd *stdfd, uint8_t *out, size_t len) attr_must_use;
ssize_t stdfd_write(struct stdfd *stdfd, struct span bytes) attr_must_use;
