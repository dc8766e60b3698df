/* SPDX-License-Identifier: MIT */
/* Descriptors; see fd.h. */
#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#define READ_CHUNK 65536

int fd_open_mode(const char *path, int flags, mode_t mode)
{
	int fd;

	do
		fd = open(path, flags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

int fd_open(const char *path, int flags)
{
	return fd_open_mode(path, flags, 0);
}

int fd_read_all(int fd, size_t max, struct buf *ret, struct err *err)
{
	size_t total = 0;

	for (;;) {
		size_t want = MIN((size_t)READ_CHUNK, max - total + 1);
		uint8_t *at;
		ssize_t n;

		if (ret->max < buf_len(ret) + want)
			ret->max = buf_len(ret) + want;
		at = buf_reserve(ret, want);
		n = read(fd, at, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, errno, "read");
		if (n == 0)
			return 0;
		buf_commit(ret, (size_t)n);
		total += (size_t)n;
		if (total > max)
			return err_set(err, ERR_LIMIT, "more than %zu bytes", max);
	}
}

int fd_write_all(int fd, struct span bytes, struct err *err)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.ptr, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			struct pollfd p = { .fd = fd, .events = POLLOUT };

			poll(&p, 1, -1);
			continue;
		}
		if (n < 0)
			return err_set_errno(err, errno, "write");
		span_cut(&bytes, (size_t)n);
	}
	return 0;
}

int fd_set_nonblock(int fd, bool on, struct err *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return err_set_errno(err, errno, "fcntl");
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	if (fcntl(fd, F_SETFL, flags) < 0)
		return err_set_errno(err, errno, "fcntl");
	return 0;
}

int fd_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	return -1;
}
