/* SPDX-License-Identifier: MIT */
/* From a descriptor to a stream; see splice.h. */
#include "splice.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "init/base/log.h"
#include "tunnel/wire/varint.h"

/*
 * A capsule's head before its length is known: a type of two bytes and a length of four. Types that
 * carry data are below 2^14 and values below 2^30.
 */
#define HEAD_LEN 6

/* Less room than this is not worth a system call, unless nothing more comes. */
#define ROOM_MIN 512

#define PIPE_SIZE_BULK (1024 * 1024)

static void put_head(uint8_t *out, uint64_t type, size_t len)
{
	varint_put_fixed(type, 2, out);
	varint_put_fixed(len, 4, out + 2);
}

static ssize_t read_fd(int fd, uint8_t *out, size_t len)
{
	ssize_t n;

	do
		n = read(fd, out, len);
	while (n < 0 && errno == EINTR);
	return n;
}

static enum splice_result result_of(ssize_t n)
{
	if (n > 0)
		return SPLICE_DONE;
	if (n == 0)
		return SPLICE_END;
	return errno == EAGAIN || errno == EWOULDBLOCK ? SPLICE_NOT_NOW : SPLICE_FAILED;
}

/* The room is there, but not in one piece: a small copy gets over the edge. */
static enum splice_result read_small(int fd, struct h3_stream *stream, size_t head, uint64_t type,
				     size_t max, size_t *ret_len)
{
	uint8_t bytes[HEAD_LEN + 4096];
	size_t want = MIN(MIN(max, h3_stream_room(stream) - head), sizeof(bytes) - HEAD_LEN);
	ssize_t n = read_fd(fd, bytes + head, want);

	if (n > 0) {
		if (head)
			put_head(bytes, type, (size_t)n);
		/* As much room as was asked for above is there. */
		if (!h3_stream_write(stream, span_of(bytes, head + (size_t)n)))
			return SPLICE_NO_ROOM;
		*ret_len = (size_t)n;
	}
	return result_of(n);
}

enum splice_result splice_read(int fd, struct h3_stream *stream, uint64_t type, size_t max,
			       size_t *ret_len)
{
	size_t head = type ? HEAD_LEN : 0;
	struct h3_space space;
	ssize_t n;
	int error;

	*ret_len = 0;
	space = h3_stream_reserve(stream, head + max);
	if (space.len < head + ROOM_MIN) {
		h3_stream_commit(stream, 0);
		if (h3_stream_room(stream) < head + ROOM_MIN)
			return SPLICE_NO_ROOM;
		return read_small(fd, stream, head, type, max, ret_len);
	}
	n = read_fd(fd, space.ptr + head, space.len - head);
	error = errno;
	if (n > 0) {
		if (head)
			put_head(space.ptr, type, (size_t)n);
		*ret_len = (size_t)n;
	}
	h3_stream_commit(stream, n > 0 ? head + (size_t)n : 0);
	errno = error;
	return result_of(n);
}

void splice_grow_pipe(int fd, bool *done)
{
	if (*done)
		return;
	*done = true;
	if (fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE_BULK) < 0)
		log_debug("splice: a pipe stays small");
}
