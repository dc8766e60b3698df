/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Scope owns resources. A local that owns something is declared with a cleanup attribute and
 * initialised where it is declared; ownership leaves only by a visible take_ptr() or take_fd().
 *
 *	cleanup_free char *name = str_dup(arg);
 *	cleanup_close int fd = fd_open(path, O_RDONLY);
 *	...
 *	*ret = take_ptr(name);
 *
 * A module with a destructor of its own adds `DEFINE_CLEANUP(struct job, job_free)` to its header
 * and users write `cleanup(job_free) struct job *job = ...`; for in-place objects
 *`DEFINE_CLEANUP_VALUE(struct buf, buf_finish)` and `cleanup(buf_finish) struct buf b = ...`.
 */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define cleanup(func) __attribute__((__cleanup__(func##_p)))

/* For destructors that take a pointer to the heap object, or NULL. */
#define DEFINE_CLEANUP(type, func)            \
	static inline void func##_p(type **p) \
	{                                     \
		if (*p)                       \
			func(*p);             \
	}

/* For destructors of objects in place. */
#define DEFINE_CLEANUP_VALUE(type, func)     \
	static inline void func##_p(type *p) \
	{                                    \
		func(p);                     \
	}

static inline void cleanup_free_p(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close_p(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

#define cleanup_free __attribute__((__cleanup__(cleanup_free_p)))
#define cleanup_close __attribute__((__cleanup__(cleanup_close_p)))

#define take_ptr(p)                         \
	__extension__({                     \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

#define take_fd(fd)                \
	__extension__({            \
		int taken_ = (fd); \
		(fd) = -1;         \
		taken_;            \
	})
