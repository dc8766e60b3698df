/* SPDX-License-Identifier: MIT */
/* Parts of files behind FirecREST, byte by byte or not at all; see firecrest.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "controller/files/firecrest_internal.h"
#include "init/base/alloc.h"

/* U+FFFD, and the longest character of UTF-8. */
#define FFFD "\xef\xbf\xbd"
#define FFFD_LEN 3
#define CHARACTER_MAX 4
#define BLOCK (256 * 1024)

/* A file that is too large to go directly. */
struct large {
	struct fs_firecrest *f;
	const char *path;
	uint64_t size;
};

/* Text that the server shows from there on, with U+FFFD in the place of what is none. */
static int show(const struct large *file, uint64_t offset, uint64_t len, json_t **ret,
		struct err *err)
{
	cleanup_free char *at = str_printf("%" PRIu64, offset), *size = str_printf("%" PRIu64, len);
	const char *query[] = { "path", file->path, "offset", at, "size", size, NULL };
	const struct firecrest_request request = { .path = OPS "view", .query = query };

	if (firecrest_call(file->f->fc, &request, ret, err) < 0)
		return -1;
	return json_is_string(json_object_get(*ret, "output"))
		       ? 0
		       : err_set(err, ERR_PROTOCOL, "the server's answer shows nothing of it");
}

/* How many U+FFFD a text begins with: at a cut each stands for one byte of a character. */
static size_t count_halves(struct span text)
{
	size_t count = 0;

	while (text.len >= FFFD_LEN && memcmp(text.ptr, FFFD, FFFD_LEN) == 0) {
		(void)span_cut(&text, FFFD_LEN);
		count++;
	}
	return count;
}

/*
 * Bytes come as text, so many characters of it from the beginning of a block on: a server counts
 * the offset in blocks of the size that is asked for. A character may be cut in two there; whoever
 * wants its second half asks for the block before. Where anything else is no text, all is refused:
 * it would not be what is in the file.
 */
static int read_large(const struct large *file, uint64_t offset, uint64_t len, struct buf *ret,
		      struct err *err)
{
	/* A server has its command show two of them. */
	const uint64_t block =
		MIN(MAX((file->f->direct_max - 1) / 2, UINT64_C(1)), (uint64_t)BLOCK);
	uint64_t before = 0;

	while (len > 0) {
		uint64_t begin = (offset / block - before) * block;
		cleanup(json_release) json_t *answer = NULL;
		struct span text;
		size_t halves;

		if (show(file, begin, block, &answer, err) < 0)
			return -1;
		text = span_of_str(json_string_value(json_object_get(answer, "output")));
		halves = count_halves(text);
		(void)span_cut(&text, halves * FFFD_LEN);
		while (text.len >= FFFD_LEN &&
		       memcmp(text.ptr + text.len - FFFD_LEN, FFFD, FFFD_LEN) == 0)
			text.len -= FFFD_LEN;
		begin += halves;
		if (begin > offset && halves < CHARACTER_MAX && offset >= block && !before) {
			before = 1;
			continue;
		}
		if (begin > offset || begin + text.len <= offset ||
		    memmem(text.ptr, text.len, FFFD, FFFD_LEN))
			return err_set(err, ERR_UNSUPPORTED,
				       "FirecREST shows only text of a file of this size: 'berth "
				       "cp' brings it here");
		(void)span_cut(&text, (size_t)(offset - begin));
		text.len = (size_t)MIN((uint64_t)text.len, len);
		if (!buf_append_span(ret, text))
			return err_set(err, ERR_INTERNAL, "no room for what was read");
		offset += text.len;
		len -= text.len;
		before = 0;
	}
	return 0;
}

/* The whole is kept: who reads a part reads another. */
static int fetch(struct fs_firecrest *f, const char *path, struct err *err)
{
	buf_finish(&f->read_bytes);
	f->read_bytes = BUF_INIT((size_t)f->direct_max);
	free(take_ptr(f->read_path));
	if (firecrest_download(f->fc, path, &f->read_bytes, err) < 0)
		return -1;
	f->read_path = str_dup(path);
	return 0;
}

int fs_firecrest_read(struct fs *fs, const char *path, uint64_t offset, size_t max, struct buf *ret,
		      struct err *err)
{
	struct fs_firecrest *f = fs_firecrest_of(fs);
	cleanup(fs_entry_finish) struct fs_entry entry = { 0 };
	cleanup_free char *whole = NULL;
	struct span rest;

	if (fs_firecrest_path(f, path, &whole, err) < 0 || fs_firecrest_describe(f, err) < 0)
		return -1;
	if (!f->read_path || strcmp(f->read_path, whole) != 0) {
		if (fs->ops->stat(fs, whole, true, &entry, err) < 0)
			return -1;
		if (entry.type == 'd')
			return err_set(err, ERR_INVALID, "is a directory");
		if (entry.size > firecrest_fetch_max(f->direct_max)) {
			const struct large file = { f, whole, entry.size };
			uint64_t left = entry.size - MIN(entry.size, offset);

			return read_large(&file, offset, MIN(left, (uint64_t)max), ret, err);
		}
		if (fetch(f, whole, err) < 0)
			return -1;
	}
	rest = buf_span(&f->read_bytes);
	(void)span_cut(&rest, (size_t)MIN(offset, (uint64_t)rest.len));
	if (rest.len == 0)
		return 0;
	return buf_append(ret, rest.ptr, MIN(rest.len, max))
		       ? 0
		       : err_set(err, ERR_INTERNAL, "no room for what was read");
}
