/* SPDX-License-Identifier: MIT */
/* Changes that wait; see changes.h. */
#include "changes.h"

#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include "controller/firecrest/archive.h"
#include "controller/run/child.h"
#include "init/base/alloc.h"
#include "init/base/log.h"

#define FILE_MAX ((size_t)512 * 1024 * 1024)
#define ARCHIVE_MAX ((size_t)1024 * 1024 * 1024)
#define PACK_TIMEOUT_MS 300000
#define REMOVED_AT_ONCE 64
#define ENTRY_MAX 4096 /* what an archive has of an entry beside its bytes */
#define TOGETHER_ALWAYS 65536

/* The name that a path has from this directory on, or NULL when it is not below it. */
static const char *below(const char *dir, const char *path)
{
	size_t len = strlen(dir);

	if (strncmp(dir, path, len) != 0)
		return NULL;
	if (len > 0 && dir[len - 1] == '/')
		return path + len;
	return path[len] == '/' ? path + len + 1 : NULL;
}

static void change_finish(struct file_change *change)
{
	free(change->path);
	free(change->target);
	buf_wipe(&change->bytes);
}

void changes_finish(struct changes *changes)
{
	for (size_t i = 0; i < changes->len; i++)
		change_finish(&changes->items[i]);
	for (size_t i = 0; i < changes->removed_len; i++)
		free(changes->removed[i]);
	free(changes->items);
	free(changes->removed);
	*changes = (struct changes){ 0 };
}

static struct file_change *add(struct changes *changes, enum change_kind kind, const char *path)
{
	struct file_change *change;

	changes->items = alloc_grow(changes->items, changes->len + 1, sizeof(*changes->items));
	change = &changes->items[changes->len++];
	*change = (struct file_change){ .kind = kind,
					.path = str_dup(path),
					.bytes = BUF_INIT(FILE_MAX) };
	return change;
}

void changes_add_dir(struct changes *changes, const char *path)
{
	add(changes, CHANGE_DIR, path)->mode = 0700;
}

int changes_add_file(struct changes *changes, const char *path, struct span bytes, mode_t mode,
		     struct err *err)
{
	struct file_change *change = add(changes, CHANGE_FILE, path);

	change->mode = mode;
	if (!buf_append_span(&change->bytes, bytes))
		return err_set(err, ERR_LIMIT, "%s: larger than %zu bytes", path, FILE_MAX);
	return 0;
}

void changes_add_link(struct changes *changes, const char *target, const char *path)
{
	add(changes, CHANGE_LINK, path)->target = str_dup(target);
}

/* What was to be made there is not made any more. */
static void drop_below(struct changes *changes, const char *path)
{
	size_t kept = 0;

	for (size_t i = 0; i < changes->len; i++) {
		struct file_change *change = &changes->items[i];

		if (strcmp(change->path, path) != 0 && !below(path, change->path)) {
			changes->items[kept++] = *change;
			continue;
		}
		change_finish(change);
	}
	changes->len = kept;
}

void changes_add_removal(struct changes *changes, const char *path)
{
	drop_below(changes, path);
	changes->removed =
		alloc_grow(changes->removed, changes->removed_len + 1, sizeof(*changes->removed));
	changes->removed[changes->removed_len++] = str_dup(path);
}

/* "/a/b" of "/a/b/c". free() it. */
static char *parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return str_dup_len(path, slash && slash > path ? (size_t)(slash - path) : 1);
}

static int call(struct firecrest *fc, const char *method, const char *path, json_t *body,
		struct err *err)
{
	/* Directories, modes and unpacking: twice is once. */
	const struct firecrest_request request = {
		.method = method, .path = path, .body = body, .may_repeat = true
	};
	cleanup(json_release) json_t *answer = NULL;
	cleanup(json_release) json_t *owned = body;

	if (!owned)
		return err_set(err, ERR_INVALID, "a name is no text in UTF-8");
	return firecrest_call(fc, &request, &answer, err);
}

static int make_private(struct firecrest *fc, const char *dir, struct err *err)
{
	if (call(fc, "POST", "/filesystem/{system}/ops/mkdir",
		 json_pack("{s:s, s:b}", "sourcePath", dir, "parent", 1), err) < 0)
		return -1;
	return call(fc, "PUT", "/filesystem/{system}/ops/chmod",
		    json_pack("{s:s, s:s}", "sourcePath", dir, "mode", "700"), err);
}

/* In a directory that was there before, or is made now, for ourselves alone. */
static int upload(struct firecrest *fc, const char *dir, const char *name, struct span bytes,
		  struct err *err)
{
	struct err own;

	if (firecrest_upload(fc, dir, name, bytes, &own) == 0)
		return 0;
	if (own.kind != ERR_NOT_FOUND)
		return err_set(err, own.kind, "%s", own.text);
	if (make_private(fc, dir, err) < 0)
		return -1;
	return firecrest_upload(fc, dir, name, bytes, err);
}

static bool add_to_archive(struct buf *tar, const char *name, const struct file_change *change)
{
	switch (change->kind) {
	case CHANGE_DIR:
		return archive_add_dir(tar, name, change->mode);
	case CHANGE_FILE:
		return archive_add_file(tar, name, change->mode, buf_span(&change->bytes));
	case CHANGE_LINK:
		return archive_add_link(tar, name, change->target);
	}
	return false;
}

/* Changes from `first` on, up to `end`, as one archive. */
static int make_archive(const struct changes *changes, size_t first, size_t end, const char *dir,
			struct buf *ret, struct err *err)
{
	bool ok = true;

	for (size_t i = first; ok && i < end; i++) {
		const char *name = below(dir, changes->items[i].path);

		if (!name || name[0] == '\0')
			return err_set(err, ERR_INTERNAL, "%s is not in %s", changes->items[i].path,
				       dir);
		ok = add_to_archive(ret, name, &changes->items[i]);
	}
	return ok && archive_end(ret) ? 0 : err_set(err, ERR_LIMIT, "too large for an archive");
}

/* Programs that are where tar is, the one that packs better first. */
static const struct packer {
	const char *argv[4];
	const char *name; /* for the API */
} packers[] = {
	{ { "xz", "-1", "-c", NULL }, "xz" },
	{ { "gzip", "-9", "-c", NULL }, "gzip" },
};

static int pack(struct buf *archive, const char **ret_compression, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(packers); i++) {
		const struct child_plan plan = { .argv = packers[i].argv,
						 .input = buf_span(archive),
						 .timeout_ms = PACK_TIMEOUT_MS };
		cleanup(child_finish) struct child child = { 0 };
		struct err why;

		if (child_run(&plan, &child, &why) < 0 || child.status != 0)
			continue;
		buf_clear(archive);
		if (!buf_append_span(archive, buf_span(&child.output)))
			return err_set(err, ERR_INTERNAL, "what is packed is larger");
		*ret_compression = packers[i].name;
		return 0;
	}
	return err_set(err, ERR_UNAVAILABLE, "no xz and no gzip on this machine: install one");
}

static int unpack_there(struct firecrest *fc, const char *dir, const char *path,
			const char *compression, struct err *err)
{
	return call(fc, "POST", "/filesystem/{system}/ops/extract",
		    json_pack("{s:s, s:s, s:s}", "sourcePath", path, "targetPath", dir,
			      "compression", compression),
		    err);
}

static char *archive_name(struct err *err)
{
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number)) {
		err_set_errno(err, errno, "no random numbers");
		return NULL;
	}
	return str_printf(".%016" PRIx64 ".tar", number);
}

/* An archive of these changes gets there and is unpacked; removals take the name of the archive. */
static int bring(struct changes *changes, size_t first, size_t end, const char *dir,
		 struct firecrest *fc, size_t direct_max, struct err *err)
{
	cleanup(buf_wipe) struct buf archive = BUF_INIT(ARCHIVE_MAX);
	cleanup_free char *name = archive_name(err), *path = NULL;
	const char *compression = "none";

	if (!name || make_archive(changes, first, end, dir, &archive, err) < 0)
		return -1;
	if (buf_len(&archive) > direct_max && pack(&archive, &compression, err) < 0)
		return -1;
	if (buf_len(&archive) > direct_max)
		return err_set(err, ERR_LIMIT,
			       "the server takes files of at most %zu bytes directly, and this has "
			       "%zu%s",
			       direct_max, buf_len(&archive),
			       strcmp(compression, "gzip") == 0 ? ": install xz, which packs better"
								: "");
	path = str_printf("%s/%s", dir, name);
	if (upload(fc, dir, name, buf_span(&archive), err) < 0)
		return -1;
	changes_add_removal(changes, path);
	return unpack_there(fc, dir, path, compression, err);
}

/* Where the next archive ends, so that only a file that is too large alone has to be packed. */
static size_t end_of_archive(const struct changes *changes, size_t first, size_t direct_max)
{
	size_t total = 0, at = first;

	for (; at < changes->len; at++) {
		size_t size = buf_len(&changes->items[at].bytes) + ENTRY_MAX;

		if (total > TOGETHER_ALWAYS && total + size > direct_max)
			break;
		total += size;
	}
	return at;
}

static int link_there(struct firecrest *fc, const struct file_change *change, struct err *err)
{
	const struct firecrest_request request = {
		.method = "POST",
		.path = "/filesystem/{system}/ops/symlink",
		.body = json_pack("{s:s, s:s}", "sourcePath", change->target, "linkPath",
				  change->path),
	};
	cleanup(json_release) json_t *answer = NULL;
	int result = firecrest_call(fc, &request, &answer, err);

	json_decref((json_t *)(uintptr_t)request.body);
	return result;
}

/* One that needs no archive: 1 when it is made, 0 when it does. */
static int make_alone(const struct changes *changes, struct firecrest *fc, size_t direct_max,
		      struct err *err)
{
	const struct file_change *only = &changes->items[0];
	cleanup_free char *dir = parent_of(only->path);

	if (changes->len != 1)
		return 0;
	if (only->kind == CHANGE_LINK)
		return link_there(fc, only, err) < 0 ? -1 : 1;
	if (only->kind == CHANGE_DIR)
		return make_private(fc, only->path, err) < 0 ? -1 : 1;
	/* It keeps the mode of the file that is there. */
	if (only->mode != 0600 || buf_len(&only->bytes) > direct_max)
		return 0;
	return firecrest_upload(fc, dir, strrchr(only->path, '/') + 1, buf_span(&only->bytes),
				err) < 0
		       ? -1
		       : 1;
}

static int make_all(struct changes *changes, struct firecrest *fc, size_t direct_max,
		    struct err *err)
{
	cleanup_free char *dir = parent_of(changes->items[0].path);
	int alone = make_alone(changes, fc, direct_max, err);

	if (alone != 0)
		return alone < 0 ? -1 : 0;
	for (size_t first = 0, end; first < changes->len; first = end) {
		end = end_of_archive(changes, first, direct_max);
		if (bring(changes, first, end, dir, fc, direct_max, err) < 0)
			return -1;
	}
	return 0;
}

/* What is gone already is removed. */
static int remove_all(char *const *paths, size_t len, struct firecrest *fc, struct err *err)
{
	struct firecrest_request requests[REMOVED_AT_ONCE];
	const char *queries[REMOVED_AT_ONCE][3];
	json_t *answers[REMOVED_AT_ONCE];
	struct err *errs = new_array(struct err, REMOVED_AT_ONCE);
	int result = 0;

	for (size_t i = 0; i < len; i++) {
		queries[i][0] = "path";
		queries[i][1] = paths[i];
		queries[i][2] = NULL;
		requests[i] = (struct firecrest_request){ .method = "DELETE",
							  .path = "/filesystem/{system}/ops/rm",
							  .query = queries[i],
							  .may_repeat = true };
	}
	if (firecrest_call_many(fc, requests, len, answers, errs) < 0)
		log_debug("firecrest: not all is removed");
	for (size_t i = 0; i < len; i++) {
		json_decref(answers[i]);
		if (errs[i].kind != ERR_NONE && errs[i].kind != ERR_NOT_FOUND && result == 0)
			result =
				err_set(err, errs[i].kind, "remove %s: %s", paths[i], errs[i].text);
	}
	free(errs);
	return result;
}

int changes_flush(struct changes *changes, struct firecrest *fc, size_t direct_max, struct err *err)
{
	struct changes now = *changes;
	int result = 0;

	*changes = (struct changes){ 0 };
	for (size_t at = 0; result == 0 && at < now.removed_len; at += REMOVED_AT_ONCE)
		result = remove_all(now.removed + at,
				    MIN(now.removed_len - at, (size_t)REMOVED_AT_ONCE), fc, err);
	for (size_t i = 0; i < now.removed_len; i++)
		free(now.removed[i]);
	free(now.removed);
	now.removed = NULL;
	now.removed_len = 0;
	if (result == 0 && now.len > 0)
		result = make_all(&now, fc, direct_max, err);
	/* What make_all() leaves to be removed. */
	changes->removed = now.removed;
	changes->removed_len = now.removed_len;
	now.removed = NULL;
	now.removed_len = 0;
	changes_finish(&now);
	return result;
}
