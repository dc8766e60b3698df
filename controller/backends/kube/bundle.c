/* SPDX-License-Identifier: MIT */
/* berth's programs in ConfigMaps; see bundle.h. */
#include "bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/fs.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define CORE "/api/v1"
#define MAPS "configmaps"
#define JOBS "/apis/batch/v1"
#define DIGEST_LEN 32
#define NOTE_WANTED "berth.wanted"
#define TRIES 8
#define POLL_MS 50
#define TURN_MS 60000
#define INSTEAD                                                                                  \
	"berth's programs come by ConfigMaps; or set 'bundle_image' of the cluster to an image " \
	"that has them"

/* The first two are needed; berth-init has to be whole, since it joins the others. */
const char *const kube_bundle_files[] = { "berth-init", "berth-tunnel",	   "busybox",
					  "applets",	"busybox.licence", NULL };
#define FILES_NEEDED 2

static int add_file(const char *dir, const char *file, size_t *room, struct kube_bundle *ret,
		    struct err *err)
{
	cleanup_free char *path = fs_join(dir, file);
	struct stat st;
	uint64_t at = 0;
	int part = 0;

	if (stat(path, &st) < 0)
		return err_set_errno(err, errno, "%s", path);
	do {
		uint64_t left = (uint64_t)st.st_size - at;
		struct kube_piece *piece = &ret->pieces[ret->len++];

		if (ret->len == KUBE_PIECES_MAX)
			return err_set(err, ERR_LIMIT,
				       "berth's programs are too large for ConfigMaps: set "
				       "'bundle_image' of the cluster");
		if (*room == 0 || (at == 0 && left <= KUBE_PART_MAX && left > *room)) {
			ret->maps++;
			*room = KUBE_PART_MAX;
		}
		*piece = (struct kube_piece){ .file = file,
					      .offset = at,
					      .len = (size_t)MIN(left, (uint64_t)*room),
					      .map = ret->maps,
					      .part = at == 0 && left <= *room ? -1 : part };
		part++;
		at += piece->len;
		*room -= piece->len;
	} while (at < (uint64_t)st.st_size);
	return 0;
}

int kube_bundle_plan(const char *dir, struct kube_bundle *ret, struct err *err)
{
	const char *digest = strrchr(dir, '/');
	size_t room = 0;

	snprintf(ret->name, sizeof(ret->name), "berth-%.*s", DIGEST_LEN, digest ? digest + 1 : dir);
	ret->len = 0;
	ret->maps = 0;
	for (size_t i = 0; kube_bundle_files[i]; i++) {
		const char *file = kube_bundle_files[i];
		cleanup_free char *path = fs_join(dir, file);

		if (i >= FILES_NEEDED && !fs_exists(path))
			continue;
		if (add_file(dir, file, &room, ret, err) < 0)
			return -1;
	}
	return 0;
}

/* Adds KEY: base64 of what of the file it is. */
static int add_piece(const char *dir, const struct kube_piece *piece, json_t *binary,
		     struct err *err)
{
	cleanup_free char *path = fs_join(dir, piece->file);
	cleanup_free char *key = piece->part < 0
					 ? str_dup(piece->file)
					 : str_printf("%s.part%02d", piece->file, piece->part);
	cleanup_free uint8_t *bytes = new_array(uint8_t, piece->len + 1);
	size_t size = (piece->len + 2) / 3 * 4 + 1;
	cleanup_free char *text = new_array(char, size);
	cleanup_close int fd = fd_open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return err_set_errno(err, errno, "open %s", path);
	n = pread(fd, bytes, piece->len, (off_t)piece->offset);
	if (n != (ssize_t)piece->len)
		return err_set(err, ERR_SYSTEM, "%s: changes while it is read", path);
	text_base64(span_of(bytes, piece->len), text, size);
	json_object_set_new(binary, key, json_string(text));
	return 0;
}

static json_t *make_map(const char *name, const char *bundle)
{
	return json_pack("{s:s, s:s, s:b, s:{s:s, s:{s:s, s:s}}}", "apiVersion", "v1", "kind",
			 "ConfigMap", "immutable", true, "metadata", "name", name, "labels",
			 "app.kubernetes.io/managed-by", "berth", KUBE_LABEL_BUNDLE, bundle);
}

static const char *meta_of(const json_t *object, const char *key)
{
	const char *text =
		json_string_value(json_object_get(json_object_get(object, "metadata"), key));

	return text ? text : "";
}

static const char *name_of(const json_t *object)
{
	return meta_of(object, "name");
}

static int post(struct kube *kube, json_t *map, struct err *err)
{
	cleanup_free char *path = kube_path(kube, CORE, MAPS, NULL);
	const struct kube_call call = { .method = "POST", .path = path, .body = map };

	return kube_call(kube, &call, NULL, err);
}

/* Who collects what was not needed a moment ago finds it changed, and leaves it. */
static int touch(struct kube *kube, const json_t *map, struct err *err)
{
	cleanup_free char *path = kube_path(kube, CORE, MAPS, name_of(map));
	cleanup(json_release) json_t *change = NULL;
	struct kube_call call = { .method = "PATCH",
				  .path = path,
				  .content_type = "application/merge-patch+json" };
	char nonce[24];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(nonce, sizeof(nonce), "%lld.%09ld", (long long)now.tv_sec, now.tv_nsec);
	change = json_pack("{s:{s:{s:s}}}", "metadata", "annotations", NOTE_WANTED, nonce);
	call.body = change;
	return kube_call(kube, &call, NULL, err);
}

static int explain(const struct err *own, struct err *err)
{
	if (own->kind == ERR_DENIED)
		return err_set(err, own->kind, "%s (" INSTEAD ")", own->text);
	return err_set(err, own->kind, "%s", own->text);
}

/* One that is there is as good: it is called after what is in it. */
static int create(struct kube *kube, json_t *map, struct err *err)
{
	struct err own = { 0 };

	for (int i = 0; i < TRIES; i++) {
		if (post(kube, map, &own) == 0)
			return 0;
		if (own.kind != ERR_EXISTS)
			break;
		if (touch(kube, map, &own) == 0)
			return 0;
		/* It went in between, or was changed by another who wants it, too. */
		if (own.kind != ERR_NOT_FOUND && own.kind != ERR_EXISTS)
			break;
	}
	return explain(&own, err);
}

static int bring_map(struct kube *kube, const char *dir, const struct kube_bundle *bundle,
		     unsigned int number, struct err *err)
{
	cleanup_free char *name = str_printf("%s-%u", bundle->name, number);
	cleanup(json_release) json_t *map = make_map(name, bundle->name);
	json_t *binary = json_object();

	json_object_set_new(map, "binaryData", binary);
	for (size_t i = 0; i < bundle->len; i++) {
		if (bundle->pieces[i].map == number &&
		    add_piece(dir, &bundle->pieces[i], binary, err) < 0)
			return -1;
	}
	return create(kube, map, err);
}

/* 1: all of it; 0: not. */
static int is_there(struct kube *kube, const char *name, struct err *err)
{
	cleanup_free char *path = kube_path(kube, CORE, MAPS, name);
	const struct kube_call call = { .path = path };
	struct err own;

	if (kube_call(kube, &call, NULL, &own) == 0)
		return 1;
	return own.kind == ERR_NOT_FOUND ? 0 : explain(&own, err);
}

/*
 * Of many that submit at once one brings them, and the others wait for it. -1: without a lock,
 * where the file system has none or it takes too long, they come more than once, and are the same.
 */
static int take_turn(const char *dir)
{
	int fd = fd_open(dir, O_RDONLY | O_DIRECTORY);

	for (unsigned int waited = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
	     waited += POLL_MS) {
		if (errno != EWOULDBLOCK || waited >= TURN_MS) {
			close(fd);
			return -1;
		}
		poll(NULL, 0, POLL_MS);
	}
	return fd;
}

int kube_bundle_bring(struct kube *kube, const char *dir, const struct kube_bundle *bundle,
		      struct err *err)
{
	cleanup(json_release) json_t *mark = NULL;
	cleanup_close int turn = -1;
	int there;

	if (bundle->image || bundle->volume)
		return 0;
	there = is_there(kube, bundle->name, err);
	if (there == 0) {
		turn = take_turn(dir);
		there = is_there(kube, bundle->name, err);
	}
	if (there != 0)
		return there < 0 ? -1 : 0;
	log_info("bringing berth's programs to namespace %s, once for this version",
		 kube->namespace);
	for (unsigned int i = 1; i <= bundle->maps; i++) {
		if (bring_map(kube, dir, bundle, i, err) < 0)
			return err_wrap(err, "berth's programs");
	}
	mark = make_map(bundle->name, bundle->name);
	return create(kube, mark, err);
}

/* As it was when it was listed: one that was touched or made anew since then is wanted. */
static int delete_map(struct kube *kube, const json_t *map, struct err *err)
{
	cleanup_free char *path = kube_path(kube, CORE, MAPS, name_of(map));
	cleanup(json_release) json_t *options =
		json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "v1", "kind", "DeleteOptions",
			  "preconditions", "uid", meta_of(map, "uid"), "resourceVersion",
			  meta_of(map, "resourceVersion"));
	const struct kube_call call = { .method = "DELETE", .path = path, .body = options };
	struct err own;

	if (kube_call(kube, &call, NULL, &own) == 0 || own.kind == ERR_NOT_FOUND ||
	    own.kind == ERR_EXISTS)
		return 0;
	return err_set(err, own.kind, "%s", own.text);
}

static const char *label_of(const json_t *object, const char *label)
{
	const json_t *labels = json_object_get(json_object_get(object, "metadata"), "labels");
	const char *text = json_string_value(json_object_get(labels, label));

	return text ? text : "";
}

/* The bundles that Jobs need, as members of an object. */
static int list_needed(struct kube *kube, json_t **ret, struct err *err)
{
	cleanup_free char *path = kube_path(kube, JOBS, "jobs", NULL);
	cleanup(json_release) json_t *jobs = NULL;
	json_t *job;
	size_t i;

	if (kube_list(kube, path, KUBE_LABEL_BUNDLE, &jobs, err) < 0)
		return -1;
	*ret = json_object();
	json_array_foreach(jobs, i, job)
		json_object_set_new(*ret, label_of(job, KUBE_LABEL_BUNDLE), json_true());
	return 0;
}

/* Those that nobody needs: marks, or all others. */
static int delete_maps(struct kube *kube, const json_t *maps, bool are_marks, struct err *err)
{
	cleanup(json_release) json_t *needed = NULL;
	const json_t *map;
	size_t i;

	if (list_needed(kube, &needed, err) < 0)
		return -1;
	json_array_foreach(maps, i, map) {
		const char *name = name_of(map), *bundle = label_of(map, KUBE_LABEL_BUNDLE);

		if (json_object_get(needed, bundle) || (strcmp(name, bundle) == 0) != are_marks)
			continue;
		if (delete_map(kube, map, err) < 0)
			return -1;
	}
	return 0;
}

int kube_bundle_collect(struct kube *kube, struct err *err)
{
	cleanup_free char *path = kube_path(kube, CORE, MAPS, NULL);
	cleanup(json_release) json_t *maps = NULL;

	if (kube_list_names(kube, path, KUBE_LABEL_BUNDLE, &maps, err) < 0)
		return -1;
	if (json_array_size(maps) == 0)
		return 0;
	return delete_maps(kube, maps, true, err) < 0 || delete_maps(kube, maps, false, err) < 0
		       ? -1
		       : 0;
}
