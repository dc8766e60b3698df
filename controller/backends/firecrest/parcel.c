/* SPDX-License-Identifier: MIT */
/* Archives on their way; see parcel.h. */
#include "parcel.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "controller/files/firecrest.h"
#include "controller/model/tar.h"
#include "controller/run/child.h"
#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/log.h"

#define PACK_TIMEOUT_MS 300000
#define PIECE_MIN ((size_t)1024 * 1024) /* less is not worth a program of its own */
#define END_ROOM 1024			/* for what an archive ends with, packed */
#define CARRY_NS (3600 * NSEC_PER_SEC)	/* for the server's job that carries a large file */

void parcel_finish(struct parcel *parcel)
{
	buf_wipe(&parcel->plain);
	buf_wipe(&parcel->packed);
}

/* Directories, modes and unpacking: twice is once. */
static int call(struct firecrest *fc, const char *method, const char *path, json_t *body,
		struct err *err)
{
	const struct firecrest_request request = {
		.method = method, .path = path, .body = body, .may_repeat = true
	};
	cleanup(json_release) json_t *answer = NULL;
	cleanup(json_release) json_t *owned = body;

	if (!owned)
		return err_set(err, ERR_INVALID, "a name is no text in UTF-8");
	return firecrest_call(fc, &request, &answer, err);
}

int parcel_make_private(struct firecrest *fc, const char *dir, struct err *err)
{
	if (call(fc, "POST", "/filesystem/{system}/ops/mkdir",
		 json_pack("{s:s, s:b}", "sourcePath", dir, "parent", 1), err) < 0)
		return -1;
	return call(fc, "PUT", "/filesystem/{system}/ops/chmod",
		    json_pack("{s:s, s:s}", "sourcePath", dir, "mode", "700"), err);
}

/* In a directory that was there before, or is made now, for ourselves alone. */
static int upload(const struct parcel *p, struct span bytes, struct err *err)
{
	struct err own;

	if (firecrest_upload(p->fc, p->dir, p->name, bytes, &own) == 0)
		return 0;
	if (own.kind != ERR_NOT_FOUND)
		return err_set(err, own.kind, "%s", own.text);
	if (parcel_make_private(p->fc, p->dir, err) < 0)
		return -1;
	return firecrest_upload(p->fc, p->dir, p->name, bytes, err);
}

/* What the server does not take in one request: through its store. */
static int upload_large(const struct parcel *p, const char *path, struct span bytes,
			struct err *err)
{
	const struct fs_firecrest_plan plan = { .wait_ns = CARRY_NS, .refused = bytes.len };
	cleanup(fs_close) struct fs *fs = fs_firecrest_new(&plan, p->fc);
	cleanup_close int fd = memfd_create("archive", MFD_CLOEXEC);
	struct fs_transfer transfer = { .fd = fd, .size = bytes.len };

	if (fd < 0)
		return err_set_errno(err, errno, "no memory for an archive");
	if (fd_write_all(fd, bytes, err) < 0 || parcel_make_private(p->fc, p->dir, err) < 0)
		return -1;
	log_info("%zu bytes go through the server's store", bytes.len);
	return fs->ops->put(fs, path, &transfer, err);
}

static int send_archive(const struct parcel *p, struct buf *archive, const char *compression,
			struct err *err)
{
	cleanup_free char *path = str_printf("%s/%s", p->dir, p->name);

	if (p->packs && buf_len(archive) > p->direct_max
		    ? upload_large(p, path, buf_span(archive), err) < 0
		    : upload(p, buf_span(archive), err) < 0)
		return -1;
	buf_clear(archive);
	return call(p->fc, "POST", "/filesystem/{system}/ops/extract",
		    json_pack("{s:s, s:s, s:s}", "sourcePath", path, "targetPath", p->dir,
			      "compression", compression),
		    err);
}

/* Programs that are where tar is, the one that packs better first. */
static const struct packer {
	const char *argv[4];
	const char *name; /* for the API */
} packers[] = {
	{ { "xz", "-1", "-c", NULL }, "xz" },
	{ { "gzip", "-9", "-c", NULL }, "gzip" },
};

/* One piece; all pieces of an archive are packed in the same way. */
static int pack(struct parcel *p, struct buf *piece, struct err *err)
{
	bool is_first = buf_len(&p->packed) == 0;

	for (; p->packer < ARRAY_LEN(packers); p->packer++) {
		const struct child_plan plan = { .argv = packers[p->packer].argv,
						 .input = buf_span(piece),
						 .timeout_ms = PACK_TIMEOUT_MS };
		cleanup(child_finish) struct child child = { 0 };

		if (child_run(&plan, &child, err) < 0 || child.status != 0) {
			if (is_first)
				continue;
			return err_set(err, ERR_UNAVAILABLE, "%s failed", packers[p->packer].name);
		}
		buf_clear(piece);
		return buf_append_span(piece, buf_span(&child.output))
			       ? 0
			       : err_set(err, ERR_INTERNAL, "what is packed is larger");
	}
	return err_set(err, ERR_UNAVAILABLE, "no xz and no gzip on this machine: install one");
}

static int send_packed(struct parcel *p, struct err *err)
{
	cleanup(buf_finish) struct buf end = BUF_INIT(PARCEL_MAX);

	if (!tar_end(&end) || pack(p, &end, err) < 0 ||
	    !buf_append_span(&p->packed, buf_span(&end)))
		return err_wrap(err, "the end of an archive");
	return send_archive(p, &p->packed, packers[p->packer].name, err);
}

/* What is collected becomes a piece, of this archive or of the next. */
static int add_piece(struct parcel *p, struct err *err)
{
	if (buf_len(&p->plain) == 0)
		return 0;
	if (pack(p, &p->plain, err) < 0)
		return -1;
	/* Once something has to go through the store, all that follows goes with it. */
	if (buf_len(&p->packed) > 0 && buf_len(&p->packed) + END_ROOM <= p->direct_max &&
	    buf_len(&p->plain) + END_ROOM <= p->direct_max &&
	    buf_len(&p->packed) + buf_len(&p->plain) + END_ROOM > p->direct_max &&
	    send_packed(p, err) < 0)
		return -1;
	if (!buf_append_span(&p->packed, buf_span(&p->plain)))
		return err_set(err, ERR_LIMIT, "too large for an archive");
	buf_clear(&p->plain);
	return 0;
}

static bool add_entry(struct buf *tar, const char *name, const struct file_change *change)
{
	cleanup_free char *path = str_printf("%s%s", name, change->kind == CHANGE_DIR ? "/" : "");
	struct tar_file file = { .name = path,
				 .mode = change->mode,
				 .modified = (uint64_t)time(NULL) };

	if (change->kind == CHANGE_LINK) {
		file.link = change->target;
		file.mode = 0777;
	} else if (change->kind == CHANGE_FILE) {
		file.content = buf_span(&change->bytes);
	}
	return tar_add(tar, &file);
}

int parcel_add(struct parcel *p, const struct file_change *change, const char *name,
	       struct err *err)
{
	if (!add_entry(&p->plain, name, change))
		return err_set(err, ERR_LIMIT, "too large for an archive");
	return p->packs && buf_len(&p->plain) >= PIECE_MIN ? add_piece(p, err) : 0;
}

int parcel_end(struct parcel *p, struct err *err)
{
	if (!p->packs)
		return tar_end(&p->plain) ? send_archive(p, &p->plain, "none", err)
					  : err_set(err, ERR_LIMIT, "too large for an archive");
	return add_piece(p, err) < 0 ? -1 : send_packed(p, err);
}
