/* SPDX-License-Identifier: MIT */
/* Files by path; see fs.h. */
#include "fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "fd.h"

#define TREE_DEPTH_MAX 256

int fs_read_file(const char *path, size_t max, struct buf *ret, struct err *err)
{
	cleanup_close int fd = fd_open(path, O_RDONLY);

	if (fd < 0)
		return err_set_errno(err, errno, "open %s", path);
	if (fd_read_all(fd, max, ret, err) < 0)
		return err_wrap(err, "read %s", path);
	return 0;
}

/* Writes and flushes the temporary file; leaves it for the caller to rename or unlink. */
static int write_part(const char *part, struct span bytes, mode_t mode, bool sync, struct err *err)
{
	cleanup_close int fd =
		fd_open_mode(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode & 0700);

	if (fd < 0)
		return err_set_errno(err, errno, "create %s", part);
	if (fd_write_all(fd, bytes, err) < 0)
		return -1;
	if (fchmod(fd, mode) < 0)
		return err_set_errno(err, errno, "chmod");
	if ((sync && fsync(fd) < 0))
		return err_set_errno(err, errno, "flush");
	return 0;
}

static int write_file(const char *path, struct span bytes, mode_t mode, bool sync, struct err *err)
{
	static unsigned int serial;
	cleanup_free char *part = str_printf("%s.%d.%u.part", path, (int)getpid(), serial++);

	unlink(part);
	if (write_part(part, bytes, mode, sync, err) < 0) {
		unlink(part);
		return err_wrap(err, "write %s", path);
	}
	if (rename(part, path) < 0) {
		err_set_errno(err, errno, "write %s", path);
		unlink(part);
		return -1;
	}
	return 0;
}

int fs_write_file(const char *path, struct span bytes, mode_t mode, struct err *err)
{
	return write_file(path, bytes, mode, true, err);
}

int fs_write_file_unsynced(const char *path, struct span bytes, mode_t mode, struct err *err)
{
	return write_file(path, bytes, mode, false, err);
}

static int create_file(const char *path, struct span bytes, mode_t mode, bool sync, struct err *err)
{
	cleanup_free char *part = str_printf("%s.%d.part", path, (int)getpid());
	int os = 0;

	unlink(part);
	if (write_part(part, bytes, mode, sync, err) < 0) {
		unlink(part);
		return err_wrap(err, "write %s", path);
	}
	/*
	 * Unlike rename(2), link(2) never replaces; where there are no hard links, a check has to
	 * do.
	 */
	if (link(part, path) < 0)
		os = errno;
	if (os == EPERM || os == EOPNOTSUPP || os == ENOSYS)
		os = fs_exists(path) ? EEXIST : rename(part, path) < 0 ? errno : 0;
	unlink(part);
	if (os == EEXIST)
		return err_set(err, ERR_EXISTS, "%s exists already", path);
	return os ? err_set_errno(err, os, "write %s", path) : 0;
}

int fs_create_file(const char *path, struct span bytes, mode_t mode, struct err *err)
{
	return create_file(path, bytes, mode, true, err);
}

int fs_create_file_unsynced(const char *path, struct span bytes, mode_t mode, struct err *err)
{
	return create_file(path, bytes, mode, false, err);
}

int fs_make_dirs(const char *path, mode_t mode, struct err *err)
{
	cleanup_free char *copy = str_dup(path);

	for (char *p = copy + 1;; p++) {
		char end = *p;

		if (end != '/' && end != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return err_set_errno(err, errno, "create directory %s", copy);
		if (end == '\0')
			break;
		*p = '/';
	}
	return 0;
}

static int remove_children(int fd, dev_t dev, int depth, struct err *err);

static int remove_entry(int dir, const char *name, dev_t dev, int depth, struct err *err)
{
	cleanup_close int fd = -1;
	struct stat st;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_set_errno(err, errno, "remove %s", name);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set_errno(err, errno, "remove %s", name);
	if (st.st_dev != dev)
		return err_set(err, ERR_DENIED, "%s is a mount point: unmount it first", name);
	if (remove_children(fd, dev, depth + 1, err) < 0)
		return err_wrap(err, "%s", name);
	if (unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_set_errno(err, errno, "remove %s", name);
	return 0;
}

static int remove_children(int fd, dev_t dev, int depth, struct err *err)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = own < 0 ? NULL : fdopendir(own);
	struct dirent *entry;
	int result = 0;

	if (!dir) {
		fd_close(own);
		return err_set_errno(err, errno, "list directory");
	}
	if (depth > TREE_DEPTH_MAX)
		result = err_set(err, ERR_LIMIT, "more than %d directories deep", TREE_DEPTH_MAX);
	while (result == 0 && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			result = remove_entry(fd, entry->d_name, dev, depth, err);
	}
	closedir(dir);
	return result;
}

int fs_remove_tree(const char *path, struct err *err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_set_errno(err, errno, "remove %s", path);
	return remove_entry(AT_FDCWD, path, st.st_dev, 0, err);
}

bool fs_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

bool fs_is_older(const char *path, uint64_t before_ns)
{
	struct stat st;

	return lstat(path, &st) == 0 && (uint64_t)st.st_mtim.tv_sec < before_ns / NSEC_PER_SEC;
}

char *fs_join(const char *dir, const char *name)
{
	size_t len = strlen(dir);

	if (name[0] == '/' || len == 0)
		return str_dup(name);
	return str_printf("%s%s%s", dir, dir[len - 1] == '/' ? "" : "/", name);
}
