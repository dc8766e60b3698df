/* SPDX-License-Identifier: MIT */
/* Names in the file system: made, changed and removed. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

void op_remove(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	char path[PATH_MAX];

	(void)server;
	if (take_path(out, request->id, request->path, path))
		reply_result(out, request->id, unlink(path));
}

void op_mkdir(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	const struct sftp_attrs *attrs = &request->attrs;
	mode_t mode = attrs->flags & SFTP_ATTR_MODE ? attrs->mode & 07777 : 0777;
	char path[PATH_MAX];

	(void)server;
	if (take_path(out, request->id, request->path, path))
		reply_result(out, request->id, mkdir(path, mode));
}

void op_rmdir(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	char path[PATH_MAX];

	(void)server;
	if (take_path(out, request->id, request->path, path))
		reply_result(out, request->id, rmdir(path));
}

/*
 * For file systems that cannot rename without replacing: files by a second link, which fails if
 * there is something; the rest by looking before.
 */
static int rename_by_link(const char *from, const char *to)
{
	struct stat st;

	if (lstat(from, &st) < 0)
		return -1;
	if (S_ISREG(st.st_mode) && link(from, to) == 0)
		return unlink(from);
	if (lstat(to, &st) == 0)
		return errno = EEXIST, -1;
	return rename(from, to);
}

/* RENAME never replaces what is there; posix-rename does. */
static int rename_new(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	return errno == EINVAL || errno == ENOSYS ? rename_by_link(from, to) : -1;
}

/* What takes two paths. */
static void on_two_paths(const struct sftp_request *request, struct buf *out,
			 int (*call)(const char *first, const char *second))
{
	char first[PATH_MAX], second[PATH_MAX];

	if (take_path(out, request->id, request->path, first) &&
	    take_path(out, request->id, request->path2, second))
		reply_result(out, request->id, call(first, second));
}

void op_rename(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	(void)server;
	on_two_paths(request, out, rename_new);
}

void op_posix_rename(struct sftp_server *server, const struct sftp_request *request,
		     struct buf *out)
{
	(void)server;
	on_two_paths(request, out, rename);
}

void op_symlink(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	(void)server;
	on_two_paths(request, out, symlink);
}

void op_hardlink(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	(void)server;
	on_two_paths(request, out, link);
}

void op_readlink(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t len;

	(void)server;
	if (!take_path(out, request->id, request->path, path))
		return;
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0) {
		reply_errno(out, request->id, errno);
		return;
	}
	target[len] = '\0';
	reply_name(out, request->id, target);
}
