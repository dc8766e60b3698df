/* SPDX-License-Identifier: MIT */
/* Parts of files; see part.h. */
#include "part.h"

#include <inttypes.h>
#include <string.h>

#include "controller/firecrest/answer.h"
#include "controller/model/log_part.h"
#include "init/base/alloc.h"

/* Servers have a command show two of them, of which they take less than the largest file. */
#define VIEW_CHUNK ((uint64_t)1024 * 1024)
#define VIEW_CHUNK_MIN ((uint64_t)16 * 1024)
/* U+FFFD, which stands for bytes that are no UTF-8. */
#define REPLACED "\xef\xbf\xbd"

/* Which bytes are wanted. */
struct part {
	uint64_t offset;
	size_t max;
};

static int get_text(struct firecrest *fc, const char *path, const char *const *query,
		    json_t **ret_answer, const char **ret, struct err *err)
{
	const struct firecrest_request request = { .path = path, .query = query };
	const json_t *output;

	if (firecrest_call(fc, &request, ret_answer, err) < 0)
		return -1;
	output = json_object_get(*ret_answer, "output");
	*ret = json_is_object(output) ? firecrest_text(output, "content")
				      : json_string_value(output);
	if (!*ret)
		*ret = "";
	return 0;
}

/* All from this offset on: exact, however the bytes are to be read. */
static int read_tail(struct firecrest *fc, const char *path, uint64_t offset, json_t **ret_answer,
		     const char **ret, struct err *err)
{
	cleanup_free char *bytes = str_printf("%" PRIu64, offset + 1);
	const char *const query[] = { "path", path, "bytes", bytes, "skipHeading", "true", NULL };

	return get_text(fc, "/filesystem/{system}/ops/tail", query, ret_answer, ret, err);
}

/* The last bytes. */
static int read_end(struct firecrest *fc, const char *path, size_t max, json_t **ret_answer,
		    const char **ret, struct err *err)
{
	cleanup_free char *bytes = str_printf("%zu", max);
	const char *const query[] = { "path", path, "bytes", bytes, NULL };

	return get_text(fc, "/filesystem/{system}/ops/tail", query, ret_answer, ret, err);
}

static int read_head(struct firecrest *fc, const char *path, size_t max, json_t **ret_answer,
		     const char **ret, struct err *err)
{
	cleanup_free char *bytes = str_printf("%zu", max);
	const char *const query[] = { "path", path, "bytes", bytes, NULL };

	return get_text(fc, "/filesystem/{system}/ops/head", query, ret_answer, ret, err);
}

/*
 * A part of a large file. Servers count in blocks of the size that is asked for, and in characters
 * behind the first block: so the part begins with a block.
 */
static int read_block(struct firecrest *fc, const char *path, uint64_t offset, uint64_t chunk,
		      json_t **ret_answer, const char **ret, struct err *err)
{
	uint64_t begin = offset / chunk * chunk, skip = offset - begin;
	cleanup_free char *at = str_printf("%" PRIu64, begin);
	cleanup_free char *size = str_printf("%" PRIu64, chunk);
	const char *const query[] = { "path", path, "offset", at, "size", size, NULL };

	if (get_text(fc, "/filesystem/{system}/ops/view", query, ret_answer, ret, err) < 0)
		return -1;
	*ret += MIN(skip, strlen(*ret));
	return 0;
}

/* Bytes as they are, of a file that goes directly. */
static int read_exactly(struct firecrest *fc, const char *path, uint64_t offset, size_t max,
			struct buf *ret, struct err *err)
{
	cleanup(buf_finish) struct buf whole = BUF_INIT(FIRECREST_ANSWER_MAX);
	struct span rest;

	if (firecrest_download(fc, path, &whole, err) < 0)
		return -1;
	rest = buf_span(&whole);
	if (offset == LOG_END)
		offset = rest.len - MIN(max, rest.len);
	span_cut(&rest, MIN((size_t)offset, rest.len));
	if (!buf_append_span(ret, span_cut(&rest, MIN(max, rest.len))))
		return err_set(err, ERR_INTERNAL, "read %s: no room", path);
	return 0;
}

int firecrest_append_text(const char *text, size_t max, struct buf *ret, struct err *err)
{
	size_t added = 0;

	while (*text && added < max) {
		bool is_replaced = strncmp(text, REPLACED, strlen(REPLACED)) == 0;

		if (!buf_append_u8(ret, is_replaced ? '?' : (uint8_t)*text))
			return err_set(err, ERR_INTERNAL, "no room for more text");
		text += is_replaced ? strlen(REPLACED) : 1;
		added++;
	}
	return 0;
}

static int take_text(struct firecrest *fc, const char *path, const struct part *part,
		     const char *text, struct buf *ret, struct err *err)
{
	if (strstr(text, REPLACED) &&
	    read_exactly(fc, path, part->offset, part->max, ret, NULL) == 0)
		return 0;
	return firecrest_append_text(text, part->max, ret, err);
}

/* Block after block, smaller ones where the server does not take more. */
static int read_blocks(struct firecrest *fc, const char *path, struct part part, struct buf *ret,
		       struct err *err)
{
	uint64_t chunk = VIEW_CHUNK;

	while (part.max > 0) {
		cleanup(json_release) json_t *answer = NULL;
		size_t before = buf_len(ret), added;
		const char *text;
		struct err own;

		if (read_block(fc, path, part.offset, chunk, &answer, &text, &own) < 0) {
			if ((own.kind != ERR_LIMIT && own.kind != ERR_INVALID) ||
			    chunk <= VIEW_CHUNK_MIN)
				return err_set(err, own.kind, "%s", own.text);
			chunk /= 4;
			continue;
		}
		if (take_text(fc, path, &part, text, ret, err) < 0)
			return -1;
		added = buf_len(ret) - before;
		if (added == 0)
			return 0;
		part.offset += added;
		part.max -= MIN(added, part.max);
	}
	return 0;
}

int firecrest_read_part(struct firecrest *fc, const char *path, uint64_t offset, size_t max,
			struct buf *ret, struct err *err)
{
	const struct part part = { offset, max };
	cleanup(json_release) json_t *answer = NULL;
	const char *text;
	struct err own;
	int result;

	if (offset == LOG_END)
		result = read_end(fc, path, max, &answer, &text, &own);
	else if (offset == 0)
		result = read_head(fc, path, max, &answer, &text, &own);
	else
		result = read_tail(fc, path, offset, &answer, &text, &own);
	if (result < 0 && own.kind == ERR_LIMIT && offset != LOG_END)
		return read_blocks(fc, path, part, ret, err);
	if (result < 0)
		return err_set(err, own.kind, "%s", own.text);
	return take_text(fc, path, &part, text, ret, err);
}
