/* SPDX-License-Identifier: MIT */
/* Changes that wait; see changes.h. */
#include "changes.h"

#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include "controller/backends/firecrest/parcel.h"
#include "init/base/alloc.h"
#include "init/base/log.h"

#define FILE_MAX ((size_t)512 * 1024 * 1024)
#define REMOVED_AT_ONCE 64

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
	free(changes->archive);
	free(changes->home);
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

static char *archive_name(struct err *err)
{
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number)) {
		err_set_errno(err, errno, "no random numbers");
		return NULL;
	}
	return str_printf(".%016" PRIx64 ".tar", number);
}

/* Of an entry with its bytes, at most. */
static size_t size_of(const struct changes *changes)
{
	size_t total = 0;

	for (size_t i = 0; i < changes->len; i++)
		total += buf_len(&changes->items[i].bytes) + PARCEL_ENTRY_MAX;
	return total;
}

/*
 * Whether it is the first that a site gets, and nothing but programs: these are no secret, while
 * the directory that all is in may be open to others.
 */
static bool is_first(const struct changes *changes)
{
	cleanup_free char *images = changes->home ? str_printf("%s/images", changes->home) : NULL;
	bool all = images;

	for (size_t i = 0; all && i < changes->len; i++)
		all = below(images, changes->items[i].path) != NULL;
	return all;
}

/* The private directories of programs and of jobs: what comes next finds its own. */
static int add_parents(struct parcel *parcel, struct err *err)
{
	const struct file_change dir = { .kind = CHANGE_DIR, .mode = 0700 };

	return parcel_add(parcel, &dir, "images", err) < 0 ? -1
							   : parcel_add(parcel, &dir, "jobs", err);
}

static int fill(const struct changes *changes, const char *dir, struct parcel *parcel,
		struct err *err)
{
	for (size_t i = 0; i < changes->len; i++) {
		const char *name = below(dir, changes->items[i].path);

		if (!name || name[0] == '\0')
			return err_set(err, ERR_INTERNAL, "%s is not in %s", changes->items[i].path,
				       dir);
		if (parcel_add(parcel, &changes->items[i], name, err) < 0)
			return -1;
	}
	return parcel_end(parcel, err);
}

/* As an archive, which is unpacked there; who is next removes it, or writes over it. */
static int bring(struct changes *changes, struct firecrest *fc, size_t direct_max, struct err *err)
{
	bool at_home = is_first(changes);
	cleanup_free char *dir =
		at_home ? str_dup(changes->home) : parent_of(changes->items[0].path);
	const char *before = changes->archive ? below(dir, changes->archive) : NULL;
	bool is_same_dir = before && !strchr(before, '/');
	cleanup_free char *name = is_same_dir ? str_dup(before) : archive_name(err);
	cleanup(parcel_finish) struct parcel parcel =
		PARCEL_INIT(fc, dir, name, direct_max, size_of(changes) > direct_max);

	if (!name)
		return -1;
	if (changes->archive && !is_same_dir)
		changes_add_removal(changes, changes->archive);
	free(changes->archive);
	changes->archive = str_printf("%s/%s", dir, name);
	if (at_home && add_parents(&parcel, err) < 0)
		return -1;
	return fill(changes, dir, &parcel, err);
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
	struct err own;

	if (changes->len != 1)
		return 0;
	if (only->kind == CHANGE_LINK) {
		if (link_there(fc, only, &own) == 0)
			return 1;
		/* Where it leads is no place of the server's: an archive does not mind. */
		return own.kind == ERR_INVALID ? 0 : err_set(err, own.kind, "%s", own.text);
	}
	if (only->kind == CHANGE_DIR)
		return parcel_make_private(fc, only->path, err) < 0 ? -1 : 1;
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
	int alone = make_alone(changes, fc, direct_max, err);

	if (alone != 0)
		return alone < 0 ? -1 : 0;
	return bring(changes, fc, direct_max, err);
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

	*changes = (struct changes){ .home = take_ptr(now.home) };
	/* An archive that is not written over again. */
	if (now.archive && now.len == 0) {
		changes_add_removal(&now, now.archive);
		free(take_ptr(now.archive));
	}
	for (size_t at = 0; result == 0 && at < now.removed_len; at += REMOVED_AT_ONCE)
		result = remove_all(now.removed + at,
				    MIN(now.removed_len - at, (size_t)REMOVED_AT_ONCE), fc, err);
	for (size_t i = 0; i < now.removed_len; i++)
		free(now.removed[i]);
	free(now.removed);
	now.removed = NULL;
	now.removed_len = 0;
	now.home = changes->home;
	if (result == 0 && now.len > 0)
		result = make_all(&now, fc, direct_max, err);
	/* What make_all() leaves to be removed. */
	now.home = NULL;
	changes->archive = take_ptr(now.archive);
	changes->removed = now.removed;
	changes->removed_len = now.removed_len;
	now.removed = NULL;
	now.removed_len = 0;
	changes_finish(&now);
	return result;
}
