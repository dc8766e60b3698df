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
#include "controller/backends/docker/tar.h"
#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "init/base/log.h"

#define BUNDLE_MAX (256 * 1024 * 1024)
#define DIGEST_SHOWN 16

static int add_tree(struct buf *archive, const char *dir, const char *below, struct err *err);

static int add_entry(struct buf *archive, const char *dir, const char *name, const char *below,
		     struct err *err)
{
	cleanup_free char *path = fs_join(dir, name);
	cleanup_free char *there = str_printf("%s%s", below, name);
	cleanup(buf_finish) struct buf content = BUF_INIT(BUNDLE_MAX);
	char target[PATH_MAX];
	struct stat st;

	if (lstat(path, &st) < 0)
		return err_set_errno(err, errno, "%s", path);
	if (S_ISDIR(st.st_mode)) {
		cleanup_free char *deeper = str_printf("%s/", there);

		if (!tar_add(archive, &(struct tar_file){ .name = deeper, .mode = 0755 }))
			return err_set(err, ERR_LIMIT, "%s is too large", dir);
		return add_tree(archive, path, deeper, err);
	}
	if (S_ISLNK(st.st_mode)) {
		ssize_t len = readlink(path, target, sizeof(target) - 1);

		if (len < 0)
			return err_set_errno(err, errno, "%s", path);
		target[len] = '\0';
		return tar_add(archive, &(struct tar_file){ .name = there, .link = target })
			       ? 0
			       : err_set(err, ERR_LIMIT, "%s: its name is too long", path);
	}
	if (fs_read_file(path, BUNDLE_MAX, &content, err) < 0)
		return -1;
	if (!tar_add(archive, &(struct tar_file){ .name = there,
						  .mode = st.st_mode & 0777,
						  .content = buf_span(&content) }))
		return err_set(err, ERR_LIMIT, "%s is too large", path);
	return 0;
}

/* Two levels: a bundle has no more. */
static int add_tree(struct buf *archive, const char *dir, const char *below, struct err *err)
{
	DIR *list = opendir(dir);
	struct dirent *entry;
	int result = 0;

	if (!list)
		return err_set_errno(err, errno, "list %s", dir);
	while (result == 0 && (entry = readdir(list))) {
		if (entry->d_name[0] == '.' || (below[0] && strcmp(below, "bin/") != 0))
			continue;
		/* The squashfs is the same once more. */
		if (strcmp(entry->d_name, "berth.sqsh") != 0)
			result = add_entry(archive, dir, entry->d_name, below, err);
	}
	closedir(list);
	return result;
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
	cleanup(buf_finish) struct buf archive = BUF_INIT(BUNDLE_MAX);

	log_info("%s: berth's programs are brought there, once for this version", engine->address);
	if (add_tree(&archive, bundle, "", err) < 0)
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

int docker_collect_volumes(struct engine *engine, struct err *err)
{
	const struct engine_call call = {
		.path = "/volumes?filters=%7B%22label%22%3A%5B%22" DOCKER_LABEL_BUNDLE "%22%5D%7D"
	};
	cleanup(json_release) json_t *answer = NULL;
	const json_t *volume;
	size_t i;

	if (engine_call(engine, &call, &answer, err) < 0)
		return -1;
	json_array_foreach(json_object_get(answer, "Volumes"), i, volume) {
		const char *name = json_string_value(json_object_get(volume, "Name"));
		cleanup_free char *path = name ? str_printf("/volumes/%s", name) : NULL;
		cleanup_free char *filler = name ? str_printf("%s-filling", name) : NULL;
		struct err own;

		if (!name || strncmp(name, "berth-bundle-", 13) != 0)
			continue;
		/* One that is in use is refused. */
		if (remove_container(engine, filler, err) < 0)
			return -1;
		if (ask(engine, "DELETE", path, &own) < 0 && own.kind != ERR_EXISTS &&
		    own.kind != ERR_NOT_FOUND)
			return err_set(err, own.kind, "%s", own.text);
	}
	return 0;
}
