/* SPDX-License-Identifier: MIT */
/* What all places of files have in common; see fs.h. */
#include "fs.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fd.h"

#define READ_STEP (256 * 1024)

void fs_entry_finish(struct fs_entry *entry)
{
	free(entry->name);
	free(entry->user);
	free(entry->group);
	free(entry->target);
	*entry = (struct fs_entry){ 0 };
}

void fs_list_add(struct fs_list *list, struct fs_entry *entry)
{
	/* Grown by halves: a directory may have a million names. */
	if ((list->len & (list->len - 1)) == 0)
		list->items = alloc_grow(list->items, list->len ? list->len * 2 : 1,
					 sizeof(*list->items));
	list->items[list->len++] = *entry;
	*entry = (struct fs_entry){ 0 };
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct fs_entry *)a)->name, ((const struct fs_entry *)b)->name);
}

void fs_list_sort(struct fs_list *list)
{
	if (list->len > 1)
		qsort(list->items, list->len, sizeof(*list->items), by_name);
}

void fs_list_finish(struct fs_list *list)
{
	for (size_t i = 0; i < list->len; i++)
		fs_entry_finish(&list->items[i]);
	free(list->items);
	*list = (struct fs_list){ 0 };
}

char *fs_path_join(const char *dir, const char *name)
{
	size_t len = strlen(dir);

	return str_printf("%s%s%s", dir, len > 0 && dir[len - 1] == '/' ? "" : "/", name);
}

struct fs *fs_close(struct fs *fs)
{
	if (fs) {
		char *name = fs->name;

		fs->ops->close(fs);
		free(name);
	}
	return NULL;
}

static int name_it(const struct fs *fs, const char *path, struct err *err)
{
	return err_wrap(err, "%s%s%s", fs->name ? fs->name : "", fs->name ? ":" : "", path);
}

int fs_resolve(struct fs *fs, const char *path, char **ret, struct err *err)
{
	return fs->ops->resolve(fs, path, ret, err) < 0 ? name_it(fs, path, err) : 0;
}

int fs_list(struct fs *fs, const char *path, struct fs_list *ret, struct err *err)
{
	cleanup(fs_list_finish) struct fs_list list = { 0 };

	if (fs->ops->list(fs, path, &list, err) < 0)
		return name_it(fs, path, err);
	fs_list_sort(&list);
	*ret = list;
	list = (struct fs_list){ 0 };
	return 0;
}

int fs_stat(struct fs *fs, const char *path, bool follows, struct fs_entry *ret, struct err *err)
{
	return fs->ops->stat(fs, path, follows, ret, err) < 0 ? name_it(fs, path, err) : 0;
}

int fs_rename(struct fs *fs, const char *from, const char *to, struct err *err)
{
	return fs->ops->rename(fs, from, to, err) < 0 ? name_it(fs, from, err) : 0;
}

int fs_chmod(struct fs *fs, const char *path, uint32_t mode, struct err *err)
{
	return fs->ops->chmod(fs, path, mode, err) < 0 ? name_it(fs, path, err) : 0;
}

int fs_read(struct fs *fs, const char *path, uint64_t offset, size_t max, struct buf *ret,
	    struct err *err)
{
	return fs->ops->read(fs, path, offset, max, ret, err) < 0 ? name_it(fs, path, err) : 0;
}

int fs_checksum(struct fs *fs, const char *path, char ret[FS_DIGEST_SIZE], struct err *err)
{
	return fs->ops->checksum(fs, path, ret, err) < 0 ? name_it(fs, path, err) : 0;
}

int fs_check_size(struct fs *fs, const char *path, uint64_t size, struct err *err)
{
	cleanup(fs_entry_finish) struct fs_entry entry = { 0 };

	if (fs->ops->stat(fs, path, true, &entry, err) < 0)
		return -1;
	if (entry.size == size)
		return 0;
	return err_set(err, ERR_PROTOCOL, "there are %" PRIu64 " bytes of %" PRIu64, entry.size,
		       size);
}

struct fs_bytes *fs_bytes_close(struct fs_bytes *bytes)
{
	if (bytes)
		bytes->ops->close(bytes);
	return NULL;
}

int fs_transfer_read(const struct fs_transfer *t, uint64_t offset, void *room, size_t len,
		     struct err *err)
{
	uint8_t *at = room;

	if (t->bytes && len > 0)
		return t->bytes->ops->read(t->bytes, offset, room, len, err);
	while (len > 0) {
		ssize_t n = pread(t->fd, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, errno, "read");
		if (n == 0)
			return err_set(err, ERR_SYSTEM, "became shorter while it was read");
		at += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int fs_transfer_write(const struct fs_transfer *t, uint64_t offset, struct span bytes,
		      struct err *err)
{
	if (t->bytes)
		return t->bytes->ops->write(t->bytes, offset, bytes, err);
	while (bytes.len > 0) {
		ssize_t n = pwrite(t->fd, bytes.ptr, bytes.len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, errno, "write");
		(void)span_cut(&bytes, (size_t)n);
		offset += (uint64_t)n;
	}
	return 0;
}

bool fs_is_no_sum(const struct err *why)
{
	return why->kind == ERR_TIMEOUT || why->kind == ERR_LIMIT || why->kind == ERR_UNSUPPORTED;
}

int fs_archive(struct fs *fs, const struct fs_archive *archive, struct err *err)
{
	if (!fs->ops->archive)
		return err_set(err, ERR_UNSUPPORTED, "%s: archives cannot be made or unpacked here",
			       fs->name ? fs->name : "this machine");
	return fs->ops->archive(fs, archive, err) < 0 ? name_it(fs, archive->from, err) : 0;
}

/* mkdir */

static bool is_dir(struct fs *fs, const char *path)
{
	cleanup(fs_entry_finish) struct fs_entry entry = { 0 };

	return fs->ops->stat(fs, path, true, &entry, NULL) == 0 && entry.type == 'd';
}

/* Cuts its last name off; false: there is no other. */
static bool cut_last(char *path)
{
	size_t len = strlen(path);

	while (len > 0 && path[len - 1] == '/')
		len--;
	while (len > 0 && path[len - 1] != '/')
		len--;
	while (len > 0 && path[len - 1] == '/')
		len--;
	path[len] = '\0';
	return len > 0;
}

/* Up to one that is there: of those above it, servers may not even tell whether they are. */
static int make_first(struct fs *fs, char *part, struct err *err)
{
	while (cut_last(part)) {
		struct err why = { 0 };

		if (fs->ops->make_dir(fs, part, &why) == 0 || is_dir(fs, part))
			return 0;
		if (why.kind != ERR_NOT_FOUND) {
			err_set(err, why.kind, "%s", why.text);
			return name_it(fs, part, err);
		}
	}
	return 0;
}

/* And down again, each a name more. */
static int make_parents(struct fs *fs, const char *path, struct err *err)
{
	cleanup_free char *first = str_dup(path);
	size_t at;

	if (make_first(fs, first, err) < 0)
		return -1;
	at = strlen(first);
	at += strspn(path + at, "/");
	for (at += strcspn(path + at, "/"); path[at]; at += strcspn(path + at, "/")) {
		cleanup_free char *part = str_dup_len(path, at);

		if (!is_dir(fs, part) && fs->ops->make_dir(fs, part, err) < 0)
			return name_it(fs, part, err);
		at += strspn(path + at, "/");
	}
	return 0;
}

int fs_make_dir(struct fs *fs, const char *path, bool parents, struct err *err)
{
	struct err why = { 0 };

	if (fs->ops->make_dir(fs, path, &why) == 0)
		return 0;
	if (parents && is_dir(fs, path))
		return 0;
	if (!parents || why.kind != ERR_NOT_FOUND) {
		err_set(err, why.kind, "%s", why.text);
		return name_it(fs, path, err);
	}
	if (make_parents(fs, path, err) < 0)
		return -1;
	if (is_dir(fs, path))
		return 0;
	return fs->ops->make_dir(fs, path, err) < 0 ? name_it(fs, path, err) : 0;
}

/* rm */

/* The last name of a path, slashes at its end aside; how long it is. */
static const char *last_name(const char *path, size_t *ret_len)
{
	size_t end = strlen(path), begin;

	while (end > 0 && path[end - 1] == '/')
		end--;
	for (begin = end; begin > 0 && path[begin - 1] != '/'; begin--)
		;
	*ret_len = end - begin;
	return path + begin;
}

int fs_resolve_link(struct fs *fs, const char *path, char **ret, struct err *err)
{
	size_t len;
	const char *name = last_name(path, &len);
	cleanup_free char *above = str_dup_len(path, (size_t)(name - path)), *dir = NULL;
	cleanup_free char *last = str_dup_len(name, len);

	if (len == 0 || strcmp(last, ".") == 0 || strcmp(last, "..") == 0 ||
	    (path[0] == '~' && name == path))
		return fs_resolve(fs, path, ret, err);
	if (fs_resolve(fs, above[0] ? above : ".", &dir, err) < 0)
		return -1;
	*ret = fs_path_join(dir, last);
	return 0;
}

/* Whether b is a or lies in it; both absolute. */
static bool holds(const char *a, const char *b)
{
	size_t len = strlen(a);

	if (len == 1)
		return true;
	return strncmp(a, b, len) == 0 && (b[len] == '\0' || b[len] == '/');
}

/*
 * What a slip of the finger or an unset variable makes of a path is not removed. *ret is the path
 * without links and without slashes at its end, through which a link would be followed.
 */
static int check_meant(struct fs *fs, const char *path, char **ret, struct err *err)
{
	cleanup_free char *home = NULL, *real = NULL;
	size_t len;
	const char *name = last_name(path, &len);

	if (len == 0 || strncmp(name, "..", len) == 0)
		return err_set(err, ERR_DENIED, "'%s' is not removed: name what is in it", path);
	if (fs_resolve_link(fs, path, &real, err) < 0)
		return -1;
	if (fs->ops->resolve(fs, "~", &home, NULL) == 0 && home[0] == '/' && holds(real, home))
		return err_set(err, ERR_DENIED, "'%s' holds your home there: it is not removed",
			       path);
	*ret = take_ptr(real);
	return 0;
}

int fs_remove(struct fs *fs, const char *path, bool recursive, struct err *err)
{
	cleanup(fs_entry_finish) struct fs_entry entry = { 0 };
	cleanup_free char *real = NULL;

	if (check_meant(fs, path, &real, err) < 0)
		return -1;
	if (fs->ops->stat(fs, real, false, &entry, err) < 0)
		return name_it(fs, path, err);
	if (entry.type == 'd' && !recursive) {
		err_set(err, ERR_INVALID, "is a directory: -r removes it with what is in it");
		return name_it(fs, path, err);
	}
	return fs->ops->remove(fs, real, entry.type == 'd', err) < 0 ? name_it(fs, path, err) : 0;
}

/* Beginnings and ends */

/* The length of the first so many lines in these bytes; *lines is what is left to be found. */
static size_t lines_len(struct span bytes, uint64_t *lines)
{
	size_t at = 0;

	while (*lines > 0 && at < bytes.len) {
		const uint8_t *newline = memchr(bytes.ptr + at, '\n', bytes.len - at);

		if (!newline)
			return bytes.len;
		at = (size_t)(newline - bytes.ptr) + 1;
		--*lines;
	}
	return at;
}

int fs_head(struct fs *fs, const char *path, const struct fs_part *part, int fd, struct err *err)
{
	cleanup(buf_finish) struct buf bytes = BUF_INIT(READ_STEP);
	uint64_t offset = 0, lines = part->lines;

	while (lines > 0 || (part->lines == 0 && offset < part->bytes)) {
		uint64_t want =
			part->lines ? READ_STEP : MIN(part->bytes - offset, (uint64_t)READ_STEP);
		struct span got;

		buf_clear(&bytes);
		if (fs_read(fs, path, offset, (size_t)want, &bytes, err) < 0)
			return -1;
		got = buf_span(&bytes);
		if (got.len == 0)
			return 0;
		offset += got.len;
		if (part->lines)
			got.len = lines_len(got, &lines);
		if (fd_write_all(fd, got, err) < 0)
			return -1;
	}
	return 0;
}

/* From the offset to the end, also of what is still being written. */
static int copy_rest(struct fs *fs, const char *path, uint64_t offset, int fd, struct err *err)
{
	cleanup(buf_finish) struct buf bytes = BUF_INIT(READ_STEP);

	do {
		buf_clear(&bytes);
		if (fs_read(fs, path, offset, READ_STEP, &bytes, err) < 0 ||
		    fd_write_all(fd, buf_span(&bytes), err) < 0)
			return -1;
		offset += buf_len(&bytes);
	} while (buf_len(&bytes) > 0);
	return 0;
}

/* Where the last so many lines begin, looking backwards from the end. */
static int find_lines(struct fs *fs, const char *path, uint64_t size, uint64_t lines, uint64_t *ret,
		      struct err *err)
{
	cleanup(buf_finish) struct buf bytes = BUF_INIT(READ_STEP);
	uint64_t end = size;

	while (end > 0) {
		uint64_t begin = end - MIN(end, (uint64_t)READ_STEP);
		struct span got;

		buf_clear(&bytes);
		if (fs_read(fs, path, begin, (size_t)(end - begin), &bytes, err) < 0)
			return -1;
		got = buf_span(&bytes);
		for (size_t i = got.len; i > 0; i--) {
			/* The newline at the very end ends the last line, it begins none. */
			if (got.ptr[i - 1] == '\n' && begin + i < size && --lines == 0) {
				*ret = begin + i;
				return 0;
			}
		}
		end = begin;
	}
	*ret = 0;
	return 0;
}

int fs_tail(struct fs *fs, const char *path, const struct fs_part *part, int fd, struct err *err)
{
	cleanup(fs_entry_finish) struct fs_entry entry = { 0 };
	uint64_t offset;

	if (fs_stat(fs, path, true, &entry, err) < 0)
		return -1;
	offset = entry.size - MIN(entry.size, part->bytes);
	if (part->lines && find_lines(fs, path, entry.size, part->lines, &offset, err) < 0)
		return -1;
	return copy_rest(fs, path, offset, fd, err);
}
