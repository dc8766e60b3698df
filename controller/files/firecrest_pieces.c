/* SPDX-License-Identifier: MIT */
/*
 * Uploads in pieces, where the URLs of a store do not last as long as the whole takes: each piece
 * is an upload of its own, and a job of ours puts them together there. See firecrest_internal.h.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "controller/files/firecrest_internal.h"
#include "init/base/alloc.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define PIECES_MAX 200
#define SCRIPT_MAX ((size_t)1024 * 1024)
#define NOBODY_READS "/dev/null"

struct pieces {
	struct fs_firecrest *f;
	struct fs_transfer *whole;
	const char *path;
	char *dir;    /* of the file, and of its pieces */
	uint64_t tag; /* in their names */
	uint64_t step;
	size_t len, sent;
};

static void pieces_finish(struct pieces *p)
{
	free(p->dir);
}
DEFINE_CLEANUP_VALUE(struct pieces, pieces_finish)

/* What is in one of them, as seen from its beginning. */
struct piece {
	struct fs_bytes base;
	const struct pieces *pieces;
	uint64_t offset;
};

static int read_piece(struct fs_bytes *bytes, uint64_t offset, void *room, size_t len,
		      struct err *err)
{
	const struct piece *piece = (const struct piece *)(void *)bytes;

	return fs_transfer_read(piece->pieces->whole, piece->offset + offset, room, len, err);
}

static const struct fs_bytes_ops piece_ops = { .read = read_piece };

static void tell_moved(void *user, uint64_t bytes)
{
	const struct piece *piece = user;
	const struct fs_transfer *whole = piece->pieces->whole;

	if (whole->moved)
		whole->moved(whole->user, piece->offset + bytes);
}

/* Hidden, beside the file; the one behind the last is where they are put together. */
static char *piece_path(const struct pieces *p, size_t number)
{
	cleanup_free char *name = str_printf(".berth-%016" PRIx64 ".%zu", p->tag, number);

	return fs_path_join(p->dir, name);
}

static int send_piece(struct pieces *p, struct err *err)
{
	uint64_t offset = p->sent * p->step, arrived = 0;
	cleanup_free char *path = piece_path(p, p->sent);
	struct piece piece = { .base.ops = &piece_ops, .pieces = p, .offset = offset };
	struct fs_transfer transfer = { .fd = -1,
					.bytes = &piece.base,
					.size = MIN(p->step, p->whole->size - offset),
					.moved = tell_moved,
					.user = &piece };
	int result = fs_firecrest_upload_whole(p->f, path, &transfer, &arrived, err);

	if (result > 0)
		return fs_firecrest_refuse_urls(true, err);
	if (result == 0)
		log_info("piece %zu of %zu is there", p->sent + 1, p->len);
	return result;
}

/* Each goes when it was appended, so that little more room is taken than the file needs. */
static bool write_script(const struct pieces *p, struct buf *ret)
{
	cleanup_free char *joined = piece_path(p, p->len);
	bool ok = buf_printf(ret, "#!/bin/sh\nset -e\nwhole=") && text_append_shell(ret, joined) &&
		  buf_printf(ret, "\nfor piece in");

	for (size_t i = 0; ok && i < p->len; i++) {
		cleanup_free char *path = piece_path(p, i);

		ok = buf_printf(ret, " ") && text_append_shell(ret, path);
	}
	return ok &&
	       buf_printf(ret, "; do\n\tcat \"$piece\" >> \"$whole\"\n\trm \"$piece\"\ndone\n"
			       "mv -f \"$whole\" ") &&
	       text_append_shell(ret, p->path) && buf_append_u8(ret, '\n');
}

/* As the server describes a job that carries something; it tells no file with complaints. */
static int start_join(const struct pieces *p, json_t **ret, struct err *err)
{
	cleanup(buf_finish) struct buf script = BUF_INIT(SCRIPT_MAX);
	cleanup(json_release) json_t *body = NULL, *answer = NULL;
	struct firecrest_request request = { .method = "POST", .path = "/compute/{system}/jobs" };

	if (!write_script(p, &script))
		return err_set(err, ERR_LIMIT, "too many pieces");
	body = json_pack("{s:{s:s, s:s, s:s, s:s, s:s, s:s*}}", "job", "name", "berth-join",
			 "workingDirectory", p->dir, "standardOutput", NOBODY_READS,
			 "standardError", NOBODY_READS, "script", buf_str(&script), "account",
			 p->f->account);
	if (!body)
		return err_set(err, ERR_INVALID, "'%s' is not text in UTF-8", p->path);
	request.body = body;
	if (firecrest_call(p->f->fc, &request, &answer, err) < 0)
		return -1;
	*ret = json_pack("{s:{s:s}}", "transferJob", "jobId", firecrest_text(answer, "jobId"));
	return *ret ? 0 : err_set(err, ERR_PROTOCOL, "the server names no job");
}

static int join(const struct pieces *p, struct err *err)
{
	cleanup(json_release) json_t *started = NULL;

	return start_join(p, &started, err) < 0 ? -1 : fs_firecrest_wait(p->f, started, err);
}

/* Of one that was on its way nobody knows. */
static void drop_pieces(const struct pieces *p)
{
	struct err why;

	for (size_t i = 0; i <= p->len; i++) {
		cleanup_free char *path = piece_path(p, i);

		if (i <= p->sent && p->f->base.ops->remove(&p->f->base, path, false, &why) < 0 &&
		    why.kind != ERR_NOT_FOUND)
			log_warn("%s stays there: %s", path, why.text);
	}
}

int fs_firecrest_upload_pieces(struct fs_firecrest *f, const char *path, struct fs_transfer *t,
			       uint64_t step, struct err *err)
{
	cleanup(pieces_finish) struct pieces p = {
		.f = f, .whole = t, .path = path, .dir = str_dup(path), .step = step
	};
	int result = 0;
	char *slash;

	p.len = (size_t)((t->size + step - 1) / step);
	if (p.len > PIECES_MAX || getrandom(&p.tag, sizeof(p.tag), 0) != sizeof(p.tag))
		return fs_firecrest_refuse_urls(true, err);
	/* The root keeps its slash. */
	slash = strrchr(p.dir, '/');
	slash[slash == p.dir] = '\0';
	log_warn("the URLs of the store are too old before all of it is there: it goes in %zu "
		 "pieces, which a job there puts together",
		 p.len);
	while (result == 0 && p.sent < p.len) {
		result = send_piece(&p, err);
		p.sent += result == 0;
	}
	if (result == 0)
		result = join(&p, err);
	if (result < 0)
		drop_pieces(&p);
	t->doubt = FS_LIKELY;
	return result;
}
