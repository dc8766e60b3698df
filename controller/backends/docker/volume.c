/* SPDX-License-Identifier: MIT */
/* The bundle in a volume; see volume.h. */
#include "volume.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/backends/docker/create.h"
#include "controller/backends/docker/files.h"
#include "controller/model/tar.h"
#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "init/base/log.h"

#define DIGEST_SHOWN 16

/* Where in the archive, and whose. */
struct target {
	const char *below;
	const struct owner *owner;
	bool is_deep; /* a bundle has two levels, and no more */
};

static int add_tree(struct buf *archive, const char *dir, const struct target *target,
		    struct err *err);

static int add_directory(struct buf *archive, const char *path, const char *there,
			 const struct target *target, struct err *err)
{
	cleanup_free char *below = str_printf("%s/", there);
	const struct target deeper = { .below = below, .owner = target->owner, .is_deep = true };
	const struct tar_file file = {
		.name = below, .mode = 0755, .uid = target->owner->uid, .gid = target->owner->gid
	};

	if (target->is_deep)
		return 0;
	if (!tar_add(archive, &file))
		return err_set(err, ERR_LIMIT, "%s is too large", path);
	return add_tree(archive, path, &deeper, err);
}

static int add_entry(struct buf *archive, const char *dir, const char *name,
		     const struct target *target, struct err *err)
{
	cleanup_free char *path = fs_join(dir, name);
	cleanup_free char *there = str_printf("%s%s", target->below, name);
	cleanup(buf_finish) struct buf content = BUF_INIT(DOCKER_BUNDLE_MAX);
	struct tar_file file = { .name = there,
				 .uid = target->owner->uid,
				 .gid = target->owner->gid };
	char link[PATH_MAX];
	struct stat st;

	if (lstat(path, &st) < 0)
		return err_set_errno(err, errno, "%s", path);
	if (S_ISDIR(st.st_mode))
		return add_directory(archive, path, there, target, err);
	if (S_ISLNK(st.st_mode)) {
		ssize_t len = readlink(path, link, sizeof(link) - 1);

		if (len < 0)
			return err_set_errno(err, errno, "%s", path);
		link[len] = '\0';
		file.link = link;
	} else if (fs_read_file(path, DOCKER_BUNDLE_MAX, &content, err) < 0) {
		return -1;
	}
	file.mode = st.st_mode & 0777;
	file.content = buf_span(&content);
	if (!tar_add(archive, &file))
		return err_set(err, ERR_LIMIT, "%s is too large, or its name too long", path);
	return 0;
}

static int add_tree(struct buf *archive, const char *dir, const struct target *target,
		    struct err *err)
{
	DIR *list = opendir(dir);
	struct dirent *entry;
	int result = 0;

	if (!list)
		return err_set_errno(err, errno, "list %s", dir);
	while (result == 0 && (entry = readdir(list))) {
		/* The squashfs is the same once more. */
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "berth.sqsh") != 0)
			result = add_entry(archive, dir, entry->d_name, target, err);
	}
	closedir(list);
	return result;
}

int docker_add_bundle(struct buf *archive, const char *bundle, const char *below,
		      const struct owner *owner, struct err *err)
{
	const struct target target = { .below = below, .owner = owner };

	return add_tree(archive, bundle, &target, err);
}

static int ask(struct engine *engine, const char *method, const char *path, struct err *err)
{
	const struct engine_call call = { .method = method, .path = path };

	return engine_call(engine, &call, NULL, err);
}

/* 1 or 0; -1. */
static int is_there(struct engine *engine, const char *kind, const char *name, struct err *err)
{
	cleanup_free char *path = strcmp(kind, "volumes") == 0
					  ? str_printf("/volumes/%s", name)
					  : str_printf("/containers/%s/json", name);
	struct err own;

	if (ask(engine, NULL, path, &own) == 0)
		return 1;
	return own.kind == ERR_NOT_FOUND ? 0 : err_set(err, own.kind, "%s", own.text);
}

static int remove_container(struct engine *engine, const char *name, struct err *err)
{
	cleanup_free char *path = str_printf("/containers/%s?force=true", name);
	struct err own;

	if (ask(engine, "DELETE", path, &own) == 0 || own.kind == ERR_NOT_FOUND)
		return 0;
	return err_set(err, own.kind, "%s", own.text);
}

/* The volume comes with the container, so that never is one there without the other. */
static int create_filler(struct engine *engine, const char *filler, const char *name,
			 const char *image, struct err *err)
{
	cleanup_free char *path = str_printf("/containers/create?name=%s", filler);
	cleanup(json_release) json_t *body = json_pack(
		"{s:s, s:[s], s:{s:s}, s:{s:[{s:s, s:s, s:s, s:{s:{s:s}}}]}}", "Image", image,
		"Entrypoint", DOCKER_BUNDLE "/berth-init", "Labels", DOCKER_LABEL_BUNDLE, name,
		"HostConfig", "Mounts", "Type", "volume", "Source", name, "Target", DOCKER_BUNDLE,
		"VolumeOptions", "Labels", DOCKER_LABEL_BUNDLE, name);
	const struct engine_call call = { .method = "POST", .path = path, .body = body };

	return engine_call(engine, &call, NULL, err);
}

static int fill(struct engine *engine, const char *bundle, const char *filler, const char *name,
		const char *image, struct err *err)
{
	cleanup(buf_finish) struct buf archive = BUF_INIT(DOCKER_BUNDLE_MAX);

	log_info("%s: berth's programs are brought there, once for this version", engine->address);
	if (docker_add_bundle(&archive, bundle, "", &(struct owner){ 0 }, err) < 0)
		return -1;
	if (!tar_end(&archive))
		return err_set(err, ERR_LIMIT, "%s is too large", bundle);
	if (create_filler(engine, filler, name, image, err) < 0 ||
	    docker_put_archive(engine, filler, DOCKER_BUNDLE, buf_span(&archive), err) < 0)
		return -1;
	return remove_container(engine, filler, err);
}

int docker_fill_volume(struct engine *engine, const char *bundle, const char *image,
		       char **ret_name, struct err *err)
{
	const char *digest = strrchr(bundle, '/') ? strrchr(bundle, '/') + 1 : bundle;
	cleanup_free char *name = str_printf("berth-bundle-%.*s", DIGEST_SHOWN, digest);
	cleanup_free char *filler = str_printf("%s-filling", name);
	int filled = is_there(engine, "volumes", name, err), dead;

	if (filled < 0)
		return -1;
	dead = filled ? is_there(engine, "containers", filler, err) : 0;
	if (dead < 0)
		return -1;
	if (!filled || dead) {
		if (remove_container(engine, filler, err) < 0 ||
		    fill(engine, bundle, filler, name, image, err) < 0)
			return err_wrap(err, "cannot bring berth's programs there");
	}
	*ret_name = take_ptr(name);
	return 0;
}

static int list_volumes(struct engine *engine, const char *label, json_t **ret, struct err *err)
{
	cleanup_free char *path =
		str_printf("/volumes?filters=%%7B%%22label%%22%%3A%%5B%%22%s%%22%%5D%%7D", label);
	const struct engine_call call = { .path = path };
	cleanup(json_release) json_t *answer = NULL;

	if (engine_call(engine, &call, &answer, err) < 0)
		return -1;
	*ret = json_incref(json_object_get(answer, "Volumes"));
	return 0;
}

/* One that is in use is refused, and stays. */
static int remove_unused(struct engine *engine, const char *name, struct err *err)
{
	cleanup_free char *path = str_printf("/volumes/%s", name);
	struct err own;

	if (ask(engine, "DELETE", path, &own) == 0 || own.kind == ERR_EXISTS ||
	    own.kind == ERR_NOT_FOUND)
		return 0;
	return err_set(err, own.kind, "%s", own.text);
}

int docker_collect_volumes(struct engine *engine, struct err *err)
{
	cleanup(json_release) json_t *volumes = NULL;
	const json_t *volume;
	size_t i;

	if (list_volumes(engine, DOCKER_LABEL_BUNDLE, &volumes, err) < 0)
		return -1;
	json_array_foreach(volumes, i, volume) {
		const char *name = json_string_value(json_object_get(volume, "Name"));
		cleanup_free char *filler = name ? str_printf("%s-filling", name) : NULL;

		if (!name || strncmp(name, "berth-bundle-", 13) != 0)
			continue;
		if (remove_container(engine, filler, err) < 0 ||
		    remove_unused(engine, name, err) < 0)
			return -1;
	}
	return 0;
}

int docker_collect_memory(struct engine *engine, struct err *err)
{
	cleanup(json_release) json_t *volumes = NULL;
	const json_t *volume;
	size_t i;

	if (list_volumes(engine, DOCKER_LABEL_UID, &volumes, err) < 0)
		return -1;
	json_array_foreach(volumes, i, volume) {
		const char *name = json_string_value(json_object_get(volume, "Name"));

		if (name && strncmp(name, "berth-", 6) == 0 && !strchr(name, '/') &&
		    remove_unused(engine, name, err) < 0)
			return -1;
	}
	return 0;
}
