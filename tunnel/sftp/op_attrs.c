/* SPDX-License-Identifier: MIT */
/* Attributes of files, read and set. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* What attributes are set on: a path, a path whose last link is not followed, or a descriptor. */
struct target {
	const char *path; /* NULL: fd */
	int fd;
	bool is_link;
};

static int set_size(const struct target *target, uint64_t size)
{
	if (size > INT64_MAX)
		return errno = EINVAL, -1;
	if (target->is_link)
		return errno = EINVAL, -1; /* a link has none */
	return target->path ? truncate(target->path, (off_t)size)
			    : ftruncate(target->fd, (off_t)size);
}

static int set_owner(const struct target *target, const struct sftp_attrs *attrs)
{
	if (!target->path)
		return fchown(target->fd, attrs->uid, attrs->gid);
	return fchownat(AT_FDCWD, target->path, attrs->uid, attrs->gid,
			target->is_link ? AT_SYMLINK_NOFOLLOW : 0);
}

static int set_mode(const struct target *target, mode_t mode)
{
	if (!target->path)
		return fchmod(target->fd, mode);
	return fchmodat(AT_FDCWD, target->path, mode, target->is_link ? AT_SYMLINK_NOFOLLOW : 0);
}

static int set_times(const struct target *target, const struct sftp_attrs *attrs)
{
	const struct timespec times[2] = { { .tv_sec = (time_t)attrs->atime },
					   { .tv_sec = (time_t)attrs->mtime } };

	if (!target->path)
		return futimens(target->fd, times);
	return utimensat(AT_FDCWD, target->path, times, target->is_link ? AT_SYMLINK_NOFOLLOW : 0);
}

/*
 * All that can be set is set, and the last failure is told, as OpenSSH does it. The owner comes
 * before the mode, since a change of it takes set-user-ID away; times come last, since a change of
 * size sets them.
 */
static void set_attrs(const struct target *target, const struct sftp_request *request,
		      struct buf *out)
{
	const struct sftp_attrs *attrs = &request->attrs;
	int error = 0;

	if (attrs->flags & SFTP_ATTR_SIZE && set_size(target, attrs->size) < 0)
		error = errno;
	if (attrs->flags & SFTP_ATTR_OWNER && set_owner(target, attrs) < 0)
		error = errno;
	if (attrs->flags & SFTP_ATTR_MODE && set_mode(target, attrs->mode & 07777) < 0)
		error = errno;
	if (attrs->flags & SFTP_ATTR_TIMES && set_times(target, attrs) < 0)
		error = errno;
	reply_errno(out, request->id, error);
}

static void set_path(const struct sftp_request *request, bool is_link, struct buf *out)
{
	char path[PATH_MAX];

	if (take_path(out, request->id, request->path, path))
		set_attrs(&(struct target){ path, -1, is_link }, request, out);
}

void op_setstat(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	(void)server;
	set_path(request, false, out);
}

void op_lsetstat(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	(void)server;
	set_path(request, true, out);
}

void op_fsetstat(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	const struct handle *handle = take_any(server, out, request->id, request->handle);

	if (handle)
		set_attrs(&(struct target){ NULL, handle->fd, false }, request, out);
}

static void get_path(const struct sftp_request *request, int flags, struct buf *out)
{
	char path[PATH_MAX];
	struct stat st;

	if (!take_path(out, request->id, request->path, path))
		return;
	if (fstatat(AT_FDCWD, path, &st, flags) < 0)
		reply_errno(out, request->id, errno);
	else
		reply_attrs(out, request->id, &st);
}

void op_stat(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	(void)server;
	get_path(request, 0, out);
}

void op_lstat(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	(void)server;
	get_path(request, AT_SYMLINK_NOFOLLOW, out);
}

void op_fstat(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	const struct handle *handle = take_any(server, out, request->id, request->handle);
	struct stat st;

	if (!handle)
		return;
	if (fstat(handle->fd, &st) < 0)
		reply_errno(out, request->id, errno);
	else
		reply_attrs(out, request->id, &st);
}
