/* SPDX-License-Identifier: MIT */
/* Files behind SFTP, byte by byte: for copies to and from what carries whole files; see fs.h. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "controller/files/copy.h"
#include "controller/files/sftp_internal.h"
#include "init/base/alloc.h"

/* So much may be on its way before somebody waits for it. */
#define WINDOW (4 * 1024 * 1024)

struct sftp_bytes {
	struct fs_bytes base;
	struct fs_sftp *s;
	struct buf handle;
	char *target; /* the name that it gets; NULL: it is read */
	size_t under_way;
	struct err why; /* of the first that failed */
};

static struct sftp_bytes *bytes_of(struct fs_bytes *bytes)
{
	return (struct sftp_bytes *)(void *)bytes;
}

/* A READ, and where its answer goes. */
struct piece {
	struct sftp_bytes *b;
	uint64_t offset;
	uint8_t *room;
	size_t len;
};

static void on_data(void *user, const struct sftp_answer *answer);

static void ask_piece(struct piece *piece)
{
	struct sftp_request request = { .op = SFTP_READ,
					.handle = buf_span(&piece->b->handle),
					.offset = piece->offset,
					.length = piece->len };

	sftp_client_ask(&piece->b->s->client, &request, on_data, piece);
}

/* A server may give less than was asked for: the rest is asked for anew. */
static void on_data(void *user, const struct sftp_answer *answer)
{
	struct piece *piece = user;
	struct err *why = &piece->b->why;
	struct err own = { 0 };

	if (answer->type == SFTP_TYPE_STATUS && answer->code == SFTP_STATUS_EOF)
		err_set(&own, ERR_SYSTEM, "became shorter while it was read");
	else if (sftp_answer_check(answer, SFTP_TYPE_DATA, &own) == 0 &&
		 (answer->bytes.len == 0 || answer->bytes.len > piece->len))
		err_set(&own, ERR_PROTOCOL, "more or less was read than can be");
	if (own.kind != ERR_NONE) {
		if (why->kind == ERR_NONE)
			*why = own;
		return;
	}
	memcpy(piece->room, answer->bytes.ptr, answer->bytes.len);
	piece->offset += answer->bytes.len;
	piece->room += answer->bytes.len;
	piece->len -= answer->bytes.len;
	if (piece->len > 0)
		ask_piece(piece);
}

static int check(struct sftp_bytes *b, struct err *err)
{
	if (fs_sftp_wait(b->s, err) < 0)
		return -1;
	b->under_way = 0;
	return b->why.kind == ERR_NONE ? 0 : err_set(err, b->why.kind, "%s", b->why.text);
}

/* All pieces of it at once, so that it takes one round trip. */
static int read_bytes(struct fs_bytes *bytes, uint64_t offset, void *room, size_t len,
		      struct err *err)
{
	struct sftp_bytes *b = bytes_of(bytes);
	size_t count = (len + READ_MAX - 1) / READ_MAX;
	cleanup_free struct piece *pieces = new_array(struct piece, count);

	for (size_t i = 0; i < count; i++) {
		size_t at = i * READ_MAX;

		pieces[i] = (struct piece){ b, offset + at, (uint8_t *)room + at,
					    MIN(len - at, (size_t)READ_MAX) };
		ask_piece(&pieces[i]);
	}
	return check(b, err);
}

static void on_written(void *user, const struct sftp_answer *answer)
{
	struct sftp_bytes *b = user;
	struct err why = { 0 };

	if (sftp_answer_check(answer, SFTP_TYPE_STATUS, &why) < 0 && b->why.kind == ERR_NONE)
		b->why = why;
}

static int write_bytes(struct fs_bytes *bytes, uint64_t offset, struct span what, struct err *err)
{
	struct sftp_bytes *b = bytes_of(bytes);

	while (what.len > 0) {
		struct sftp_request request = { .op = SFTP_WRITE,
						.handle = buf_span(&b->handle),
						.offset = offset };

		request.bytes = span_cut(&what, MIN(what.len, (size_t)READ_MAX));
		sftp_client_ask(&b->s->client, &request, on_written, b);
		offset += request.bytes.len;
		b->under_way += request.bytes.len;
		if (b->under_way >= WINDOW && check(b, err) < 0)
			return -1;
	}
	return 0;
}

static void set_attrs(struct sftp_bytes *b, const struct fs_entry *keep)
{
	struct sftp_request request = { .op = SFTP_FSETSTAT, .handle = buf_span(&b->handle) };

	request.attrs = (struct sftp_attrs){ .flags = SFTP_ATTR_MODE | SFTP_ATTR_TIMES,
					     .mode = keep->mode & 0777,
					     .atime = (uint32_t)keep->mtime_s,
					     .mtime = (uint32_t)keep->mtime_s };
	sftp_client_ask(&b->s->client, &request, on_written, b);
}

static int flush(struct fs_bytes *bytes, const struct fs_entry *keep, struct err *err)
{
	struct sftp_bytes *b = bytes_of(bytes);

	if (keep)
		set_attrs(b, keep);
	return check(b, err);
}

static int finish(struct fs_bytes *bytes, struct err *err)
{
	struct sftp_bytes *b = bytes_of(bytes);
	struct fs *fs = &b->s->base;

	fs_sftp_close_handle(b->s, &b->handle);
	if (fs->ops->rename(fs, bytes->name, b->target, err) < 0)
		return -1;
	free(take_ptr(b->target));
	return 0;
}

static void close_bytes(struct fs_bytes *bytes)
{
	struct sftp_bytes *b = bytes_of(bytes);
	struct fs *fs = &b->s->base;

	fs_sftp_close_handle(b->s, &b->handle);
	if (b->target)
		(void)!fs->ops->remove(fs, bytes->name, false, NULL);
	free(b->target);
	free(bytes->name);
	free(b);
}

static const struct fs_bytes_ops bytes_ops = { read_bytes, write_bytes, flush, finish,
					       close_bytes };

int fs_sftp_bytes(struct fs *fs, const char *path, const struct fs_entry *source, bool writes,
		  struct fs_bytes **ret, struct err *err)
{
	struct sftp_bytes *b = new_zero(struct sftp_bytes);
	struct sftp_request request = { .op = SFTP_OPEN, .flags = SFTP_OPEN_READ };

	b->base.ops = &bytes_ops;
	b->s = fs_sftp_of(fs);
	b->base.name = writes ? fs_copy_part(path, false) : str_dup(path);
	if (writes) {
		request.flags = SFTP_OPEN_WRITE | SFTP_OPEN_CREATE | SFTP_OPEN_EXCLUSIVE;
		request.attrs = (struct sftp_attrs){ .flags = SFTP_ATTR_MODE,
						     .mode = (source->mode & 0777) | 0600 };
	}
	if (fs_sftp_open_handle(b->s, &request, b->base.name, &b->handle, err) < 0) {
		close_bytes(&b->base);
		return -1;
	}
	if (writes)
		b->target = str_dup(path);
	*ret = &b->base;
	return 0;
}
