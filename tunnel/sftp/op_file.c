/* SPDX-License-Identifier: MIT */
/* What an SFTP client does to files that it opened. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "init/base/fd.h"

#define COPY_STEP (64 * 1024 * 1024)

static int open_flags(uint64_t flags)
{
	int result = flags & SFTP_OPEN_READ ? O_RDONLY : 0;

	if (flags & SFTP_OPEN_WRITE)
		result = flags & SFTP_OPEN_READ ? O_RDWR : O_WRONLY;
	result |= flags & SFTP_OPEN_APPEND ? O_APPEND : 0;
	result |= flags & SFTP_OPEN_CREATE ? O_CREAT : 0;
	result |= flags & SFTP_OPEN_TRUNCATE ? O_TRUNC : 0;
	result |= flags & SFTP_OPEN_EXCLUSIVE ? O_EXCL : 0;
	result |= flags & SFTP_OPEN_NOFOLLOW ? O_NOFOLLOW : 0;
	/* The process has a session of its own, and no terminal is to become its. */
	return result | O_NOCTTY;
}

static void reply_handle(struct sftp_server *server, uint32_t id, const struct handle *handle,
			 struct buf *out)
{
	uint8_t name[HANDLE_LEN];
	size_t at = reply_begin(out, SFTP_TYPE_HANDLE, id);

	handles_name(&server->handles, handle, name);
	reply_string(out, span_of(name, sizeof(name)));
	sftp_packet_end(out, at);
}

void op_open(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	const struct sftp_attrs *attrs = &request->attrs;
	mode_t mode = attrs->flags & SFTP_ATTR_MODE ? attrs->mode & 07777 : 0666;
	char path[PATH_MAX];
	int fd;

	if (!take_path(out, request->id, request->path, path))
		return;
	if (handles_are_full(&server->handles)) {
		reply_status(out, request->id, SFTP_STATUS_FAILURE, "too many open files");
		return;
	}
	fd = fd_open_mode(path, open_flags(request->flags), mode);
	if (fd < 0)
		reply_errno(out, request->id, errno);
	else
		reply_handle(server, request->id, handles_add(&server->handles, fd, NULL), out);
}

void op_opendir(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	char path[PATH_MAX];
	DIR *dir;

	if (!take_path(out, request->id, request->path, path))
		return;
	if (handles_are_full(&server->handles)) {
		reply_status(out, request->id, SFTP_STATUS_FAILURE, "too many open files");
		return;
	}
	dir = opendir(path);
	if (!dir)
		reply_errno(out, request->id, errno);
	else
		reply_handle(server, request->id, handles_add(&server->handles, dirfd(dir), dir),
			     out);
}

void op_close(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	struct handle *handle = take_any(server, out, request->id, request->handle);

	if (handle)
		reply_errno(out, request->id, handles_remove(&server->handles, handle));
}

/*
 * As much as there is up to want; reads go straight into the answer. A pipe or terminal has no
 * offsets: what comes next is read.
 */
static ssize_t read_at(int fd, uint8_t *ret, size_t want, off_t offset)
{
	ssize_t len;

	do {
		len = pread(fd, ret, want, offset);
		if (len < 0 && errno == ESPIPE)
			len = read(fd, ret, want);
	} while (len < 0 && errno == EINTR);
	return len;
}

void op_read(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	const struct handle *handle = take_file(server, out, request->id, request->handle);
	size_t want = (size_t)MIN(request->length, (uint64_t)SFTP_BYTES_MAX), before, at;
	uint8_t *bytes;
	ssize_t len;
	int error;

	if (!handle)
		return;
	before = buf_len(out);
	at = reply_begin(out, SFTP_TYPE_DATA, request->id);
	bytes = buf_reserve(out, sizeof(uint32_t) + want);
	if (!bytes)
		abort(); /* serve() leaves room for the largest answer */
	len = read_at(handle->fd, bytes + sizeof(uint32_t), want, (off_t)request->offset);
	error = errno;
	if (len > 0 || (len == 0 && want == 0)) {
		reply_u32(out, (uint32_t)len);
		buf_commit(out, (size_t)len);
		sftp_packet_end(out, at);
		return;
	}
	buf_truncate(out, before);
	if (len == 0)
		reply_status(out, request->id, SFTP_STATUS_EOF, "end of file");
	else
		reply_errno(out, request->id, error);
}

static int write_at(int fd, struct span bytes, off_t offset)
{
	while (bytes.len > 0) {
		ssize_t len = pwrite(fd, bytes.ptr, bytes.len, offset);

		if (len < 0 && errno == ESPIPE)
			len = write(fd, bytes.ptr, bytes.len);
		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0)
			return len < 0 ? errno : ENOSPC;
		(void)span_cut(&bytes, (size_t)len);
		offset += len;
	}
	return 0;
}

void op_write(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	const struct handle *handle = take_file(server, out, request->id, request->handle);

	if (handle)
		reply_errno(out, request->id,
			    write_at(handle->fd, request->bytes, (off_t)request->offset));
}

void op_fsync(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	const struct handle *handle = take_file(server, out, request->id, request->handle);

	if (handle)
		reply_result(out, request->id, fsync(handle->fd));
}

struct copy {
	int from, to;
	off_t from_at, to_at;
	uint64_t left;
};

/* For what the system cannot copy by itself: between file systems, before Linux 5.3. */
static ssize_t copy_by_hand(struct copy *copy, size_t step)
{
	uint8_t bytes[64 * 1024];
	ssize_t len = read_at(copy->from, bytes, MIN(step, sizeof(bytes)), copy->from_at);
	int error;

	if (len <= 0)
		return len;
	error = write_at(copy->to, span_of(bytes, (size_t)len), copy->to_at);
	if (error) {
		errno = error;
		return -1;
	}
	copy->from_at += len;
	copy->to_at += len;
	return len;
}

static int copy_all(struct copy *copy)
{
	bool by_hand = false;

	while (copy->left > 0) {
		size_t step = (size_t)MIN(copy->left, (uint64_t)COPY_STEP);
		ssize_t len = by_hand ? copy_by_hand(copy, step)
				      : copy_file_range(copy->from, &copy->from_at, copy->to,
							&copy->to_at, step, 0);

		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0 && !by_hand) {
			/* Also where it says 0: files of /proc have no size. */
			by_hand = true;
			continue;
		}
		if (len <= 0)
			return (int)len;
		copy->left -= (uint64_t)len;
	}
	return 0;
}

static bool is_same_file(int a, int b)
{
	struct stat st_a, st_b;

	return fstat(a, &st_a) == 0 && fstat(b, &st_b) == 0 && st_a.st_dev == st_b.st_dev &&
	       st_a.st_ino == st_b.st_ino;
}

/* A length of 0 is up to the end. Within one file source and destination must not overlap. */
void op_copy_data(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	const struct handle *from = take_file(server, out, request->id, request->handle);
	const struct handle *to =
		from ? take_file(server, out, request->id, request->handle2) : NULL;
	uint64_t distance;
	struct copy copy;

	if (!from || !to)
		return;
	copy = (struct copy){
		.from = from->fd,
		.to = to->fd,
		.from_at = (off_t)request->offset,
		.to_at = (off_t)request->offset2,
		.left = request->length ? request->length : UINT64_MAX,
	};
	distance = request->offset > request->offset2 ? request->offset - request->offset2
						      : request->offset2 - request->offset;
	if (is_same_file(copy.from, copy.to) && distance < copy.left)
		reply_status(out, request->id, SFTP_STATUS_FAILURE, "the ranges overlap");
	else
		reply_result(out, request->id, copy_all(&copy));
}
