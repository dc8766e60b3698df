/* SPDX-License-Identifier: MIT */
/* This machine as a site, and the way to all others; see site.h. */
#include "site.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/backends/site_lock.h"
#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/fs.h"

struct site *site_close(struct site *site)
{
	if (site && site->ops->close)
		site->ops->close(site);
	return NULL;
}

static int read_here(const char *path, uint64_t offset, size_t max, struct buf *ret,
		     struct err *err)
{
	cleanup_close int fd = fd_open(path, O_RDONLY);
	uint8_t *at;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set_errno(err, errno, "open %s", path);
	if (offset == LOG_END)
		offset = (uint64_t)st.st_size - MIN((uint64_t)st.st_size, max);
	at = buf_reserve(ret, max);
	if (!at)
		return err_set(err, ERR_INTERNAL, "read %s: no room", path);
	do
		n = pread(fd, at, max, (off_t)offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set_errno(err, errno, "read %s", path);
	buf_commit(ret, (size_t)n);
	return 0;
}

int site_run(struct site *site, const struct child_plan *plan, struct child *ret, struct err *err)
{
	if (!site)
		return child_run(plan, ret, err);
	if (!site->ops->run)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s runs no commands of ours: its files and jobs are all that can "
			       "be reached",
			       site->login);
	return site->ops->run(site, plan, ret, err);
}

int site_read(struct site *site, const char *path, uint64_t offset, size_t max, struct buf *ret,
	      struct err *err)
{
	if (site)
		return site->ops->read(site, path, offset, max, ret, err);
	return read_here(path, offset, max, ret, err);
}

int site_make_dir(struct site *site, const char *path, struct err *err)
{
	return site ? site->ops->make_dir(site, path, err) : fs_make_dirs(path, 0700, err);
}

int site_write(struct site *site, const char *path, struct span bytes, mode_t mode, struct err *err)
{
	return site ? site->ops->write(site, path, bytes, mode, err)
		    : fs_write_file_unsynced(path, bytes, mode, err);
}

int site_link(struct site *site, const char *target, const char *path, struct err *err)
{
	if (site)
		return site->ops->link(site, target, path, err);
	if (symlink(target, path) < 0)
		return err_set_errno(err, errno, "create %s", path);
	return 0;
}

int site_remove(struct site *site, const char *path, struct err *err)
{
	return site ? site->ops->remove(site, path, err) : fs_remove_tree(path, err);
}

/* 1: it holds something else. */
static int compare(struct site *site, const char *path, struct span expected, struct err *err)
{
	cleanup(buf_wipe) struct buf now = BUF_INIT(expected.len + 1);

	if (site_read(site, path, 0, now.max, &now, err) < 0)
		return -1;
	return !span_equal(buf_span(&now), expected);
}

static int replace_here(const char *path, struct span expected, struct span bytes, mode_t mode,
			struct err *err)
{
	cleanup_free char *lock = site_lock_path(path);
	int result;

	if (site_lock_take(lock, err) < 0)
		return -1;
	result = compare(NULL, path, expected, err);
	if (result == 0)
		result = fs_write_file(path, bytes, mode, err);
	site_lock_drop(lock);
	return result;
}

/* Without a lock: who wrote at the same moment is seen afterwards. */
static int replace_unlocked(struct site *site, const char *path, struct span expected,
			    struct span bytes, mode_t mode, struct err *err)
{
	int result;

	site_forget(site);
	result = compare(site, path, expected, err);
	if (result != 0)
		return result;
	if (site_write(site, path, bytes, mode, err) < 0 || site_flush(site, err) < 0)
		return -1;
	site_forget(site);
	return compare(site, path, bytes, err);
}

int site_replace(struct site *site, const char *path, struct span expected, struct span bytes,
		 mode_t mode, struct err *err)
{
	if (!site)
		return replace_here(path, expected, bytes, mode, err);
	if (!site->ops->replace)
		return replace_unlocked(site, path, expected, bytes, mode, err);
	return site->ops->replace(site, path, expected, bytes, mode, err);
}

int site_need(struct site *site, const char *path, struct err *err)
{
	return site && site->ops->need ? site->ops->need(site, path, err) : 0;
}

int site_flush(struct site *site, struct err *err)
{
	return site && site->ops->flush ? site->ops->flush(site, err) : 0;
}

int site_prefetch(struct site *site, const char *const *dirs, size_t len, const char *prefixes,
		  struct err *err)
{
	if (!site || !site->ops->prefetch || len == 0)
		return 0;
	return site->ops->prefetch(site, dirs, len, prefixes, err);
}

void site_forget(struct site *site)
{
	if (site && site->ops->forget)
		site->ops->forget(site);
}

bool site_expects(const struct site *site)
{
	return site && site->ops->expect;
}

int site_expect(struct site *site, const struct site_part *parts, size_t len, struct err *err)
{
	return site_expects(site) && len > 0 ? site->ops->expect(site, parts, len, err) : 0;
}

int site_find_home(struct site *site, const char *home, char **ret_home, char **ret_user_home,
		   struct err *err)
{
	return site->ops->find_home(site, home, ret_home, ret_user_home, err);
}

int site_checksums(struct site *site, const char *const *paths, size_t len,
		   char (*ret)[SITE_CHECKSUM_SIZE], struct err *err)
{
	return site->ops->checksums(site, paths, len, ret, err);
}
