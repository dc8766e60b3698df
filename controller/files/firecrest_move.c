/* SPDX-License-Identifier: MIT */
/* Whole files to and from FirecREST: directly, or through its S3 store; see firecrest.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/files/firecrest_internal.h"
#include "init/base/alloc.h"

/* Nobody's limit for files that go directly is larger than that. */
#define ASKED_MAX (UINT64_C(64) * 1024 * 1024)

static void tell(const struct fs_transfer *t, uint64_t bytes)
{
	if (t->moved)
		t->moved(t->user, bytes);
}

/*
 * Servers wait in vain for what an empty file gets: their shell has made it by then, and their
 * command is ended by its time limit.
 */
static bool is_empty(struct fs_firecrest *f, const char *path)
{
	cleanup(fs_entry_finish) struct fs_entry entry = { 0 };

	return f->base.ops->stat(&f->base, path, true, &entry, NULL) == 0 && entry.type == '-' &&
	       entry.size == 0;
}

/* In one request; the umask there is the server's. */
static int upload_small(struct fs_firecrest *f, const char *path, struct fs_transfer *t,
			struct err *err)
{
	cleanup(buf_finish) struct buf bytes = BUF_INIT((size_t)t->size);
	cleanup_free char *dir = str_dup(path);
	char *name = strrchr(dir, '/');
	struct err own;

	if (fs_transfer_read(t, 0, buf_reserve(&bytes, (size_t)t->size), (size_t)t->size, err) < 0)
		return -1;
	buf_commit(&bytes, (size_t)t->size);
	*name++ = '\0';
	/* Servers do not agree on how these are quoted in a form (RFC 7578 section 4.2). */
	if (strpbrk(name, "\"\\"))
		return err_set(err, ERR_INVALID,
			       "FirecREST cannot be told of a name with a double quote or a "
			       "backslash: rename it");
	if (firecrest_upload(f->fc, dir[0] ? dir : "/", name, buf_span(&bytes), &own) < 0 &&
	    !(t->size == 0 && own.kind == ERR_TIMEOUT && is_empty(f, path)))
		return err_set(err, own.kind, "%s", own.text);
	tell(t, t->size);
	return 0;
}

/* The largest file that is sent directly, or fetched, by a server with this limit. */
static uint64_t limit_of(uint64_t direct_max, bool fetches)
{
	return fetches ? firecrest_fetch_max(direct_max) : direct_max;
}

/*
 * Whether a file of this size goes directly. A server's own limit is asked for where it decides:
 * what every server takes directly is tried, and of what none does nothing is lost.
 */
static int goes_directly(struct fs_firecrest *f, uint64_t size, bool fetches, struct err *err)
{
	if (f->refused > 0 && size >= f->refused)
		return false;
	if (!f->is_described && size <= limit_of(FIRECREST_DIRECT_MAX, fetches))
		return true;
	if (!f->is_described && size > ASKED_MAX)
		return false;
	return fs_firecrest_describe(f, err) < 0 ? -1 : size <= limit_of(f->direct_max, fetches);
}

/* What a server refused that has not told its limit may be more than that: 1. */
static int was_too_large(struct fs_firecrest *f, uint64_t size, bool fetches, const struct err *why,
			 struct err *err)
{
	if (why->kind == ERR_LIMIT && !f->is_described) {
		if (fs_firecrest_describe(f, err) < 0)
			return -1;
		if (size > limit_of(f->direct_max, fetches))
			return 1;
	}
	return err_set(err, why->kind, "%s", why->text);
}

int fs_firecrest_put(struct fs *fs, const char *path, struct fs_transfer *t, struct err *err)
{
	struct fs_firecrest *f = fs_firecrest_of(fs);
	cleanup_free char *whole = NULL;
	struct err why = { 0 };
	int directly;

	if (fs_firecrest_path(f, path, &whole, err) < 0)
		return -1;
	directly = goes_directly(f, t->size, false, err);
	if (directly > 0) {
		if (upload_small(f, whole, t, &why) == 0)
			return 0;
		directly = was_too_large(f, t->size, false, &why, err) > 0 ? 0 : -1;
	}
	return directly < 0 ? -1 : fs_firecrest_upload(f, whole, t, err);
}

static int download_all(struct fs_firecrest *f, const char *path, struct buf *ret, struct err *err)
{
	*ret = BUF_INIT((size_t)(f->is_described ? f->direct_max : FIRECREST_DIRECT_MAX));
	return firecrest_download(f->fc, path, ret, err);
}

static int download_small(struct fs_firecrest *f, const char *path, struct fs_transfer *t,
			  struct err *err)
{
	cleanup(buf_finish) struct buf bytes = { 0 };

	if (download_all(f, path, &bytes, err) < 0)
		return -1;
	if (fs_transfer_write(t, 0, buf_span(&bytes), err) < 0)
		return -1;
	t->size = buf_len(&bytes);
	tell(t, t->size);
	return 0;
}

int fs_firecrest_get(struct fs *fs, const char *path, struct fs_transfer *t, struct err *err)
{
	struct fs_firecrest *f = fs_firecrest_of(fs);
	cleanup_free char *whole = NULL;
	struct err why = { 0 };
	int directly;

	if (fs_firecrest_path(f, path, &whole, err) < 0)
		return -1;
	directly = goes_directly(f, t->size, true, err);
	if (directly > 0) {
		if (download_small(f, whole, t, &why) == 0)
			return 0;
		directly = was_too_large(f, t->size, true, &why, err) > 0 ? 0 : -1;
	}
	return directly < 0 ? -1 : fs_firecrest_fetch(f, whole, t, err);
}

int fs_firecrest_bytes(struct fs *fs, const char *path, const struct fs_entry *source, bool writes,
		       struct fs_bytes **ret, struct err *err)
{
	struct fs_firecrest *f = fs_firecrest_of(fs);
	cleanup(buf_finish) struct buf small = { 0 };
	cleanup(fs_bytes_close) struct fs_bytes *bytes = NULL;
	cleanup_free char *whole = NULL;
	struct err why = { 0 };
	int directly;

	if (writes)
		return err_set(err, ERR_UNSUPPORTED, "FirecREST takes whole files only");
	if (fs_firecrest_path(f, path, &whole, err) < 0)
		return -1;
	directly = goes_directly(f, source->size, true, err);
	if (directly > 0 && download_all(f, whole, &small, &why) < 0) {
		buf_finish(&small);
		directly = was_too_large(f, source->size, true, &why, err) > 0 ? 0 : -1;
	}
	if (directly < 0)
		return -1;
	bytes = fs_firecrest_staged(f, whole, &small);
	if (directly == 0 && fs_firecrest_stage(bytes, err) < 0)
		return -1;
	*ret = take_ptr(bytes);
	return 0;
}
