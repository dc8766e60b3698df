/* SPDX-License-Identifier: MIT */
/* Job directories that are bound into containers; see bound.h. */
#include "bound.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/fs.h"

#define NAME "container"
#define COPY ".container.new"

char *bound_path(const char *dir)
{
	return fs_join(dir, NAME);
}

bool bound_exists(const char *dir)
{
	cleanup_free char *path = bound_path(dir);

	return fs_exists(path);
}

/* Where the engine gives users of containers other numbers, we do not know which. */
static int maps_users(struct engine *engine, bool *ret, struct err *err)
{
	const struct engine_call call = { .path = "/info" };
	cleanup(json_release) json_t *answer = NULL;
	const json_t *option;
	size_t i;

	if (engine_call(engine, &call, &answer, err) < 0)
		return -1;
	*ret = false;
	json_array_foreach(json_object_get(answer, "SecurityOptions"), i, option) {
		const char *text = json_string_value(option);

		*ret = *ret || (text && strncmp(text, "name=userns", 11) == 0);
	}
	return 0;
}

int bound_owner(struct engine *engine, const char *user, struct owner *ret, struct err *err)
{
	struct owner owner;
	bool maps = false;

	/* Podman maps users as each container and a file of its own say. */
	if (!engine->is_here || engine->is_podman || !docker_read_owner(user, &owner))
		return 0;
	/* In a rootless engine its user is root, and all others are nobody that we know. */
	if (engine->uid != 0 && owner.uid != 0)
		return 0;
	if (engine->uid != 0)
		owner = (struct owner){ .uid = engine->uid, .gid = (gid_t)-1 };
	/* We can make files of our own, as root anybody's; and root reads them all. */
	if (geteuid() != 0 && owner.uid != 0 && owner.uid != geteuid())
		return 0;
	if (engine->uid == 0 && maps_users(engine, &maps, err) < 0)
		return -1;
	if (maps)
		return 0;
	if (geteuid() != 0)
		owner = (struct owner){ .uid = geteuid(), .gid = (gid_t)-1 };
	*ret = owner;
	return 1;
}

/* A copy beside the directory, which no container gets at, and then one step. */
static int put(const char *dir, const char *name, const struct owner *owner, struct err *err)
{
	cleanup_free char *from = fs_join(dir, name), *copy = fs_join(dir, COPY);
	cleanup_free char *to = str_printf("%s/" NAME "/%s", dir, name);
	cleanup(buf_wipe) struct buf content = BUF_INIT(DOCKER_FILES_MAX);
	struct stat st;

	if (lstat(from, &st) < 0)
		return err_set_errno(err, errno, "%s", from);
	if (!S_ISREG(st.st_mode))
		return 0;
	if (fs_read_file(from, DOCKER_FILES_MAX, &content, err) < 0 ||
	    fs_write_file_unsynced(copy, buf_span(&content), st.st_mode & 0700, err) < 0)
		return -1;
	if (lchown(copy, owner->uid, owner->gid) < 0 || rename(copy, to) < 0) {
		err_set_errno(err, errno, "%s", to);
		unlink(copy);
		return -1;
	}
	return 0;
}

static int put_all(const char *dir, const struct owner *owner, struct err *err)
{
	DIR *list = opendir(dir);
	struct dirent *entry;
	int result = 0;

	if (!list)
		return err_set_errno(err, errno, "list %s", dir);
	while (result == 0 && (entry = readdir(list))) {
		/* What begins so is being written. */
		if (entry->d_name[0] != '.')
			result = put(dir, entry->d_name, owner, err);
	}
	closedir(list);
	return result;
}

int bound_make(const char *dir, const struct owner *owner, struct err *err)
{
	cleanup_free char *path = bound_path(dir);

	if (bound_remove(dir, err) < 0)
		return -1;
	if (mkdir(path, 0700) < 0)
		return err_set_errno(err, errno, "%s", path);
	if (put_all(dir, owner, err) < 0)
		return -1;
	return lchown(path, owner->uid, owner->gid) == 0 ? 0
							 : err_set_errno(err, errno, "%s", path);
}

int bound_remove(const char *dir, struct err *err)
{
	cleanup_free char *path = bound_path(dir);

	return fs_remove_tree(path, err);
}

int bound_put(const char *dir, const char *name, struct err *err)
{
	cleanup_free char *path = bound_path(dir);
	struct owner owner;
	struct stat st;

	if (lstat(path, &st) < 0)
		return err_set_errno(err, errno, "%s", path);
	owner = (struct owner){ .uid = st.st_uid, .gid = st.st_gid };
	return put(dir, name, &owner, err);
}

int bound_get(const char *dir, const char *name, struct buf *ret, struct err *err)
{
	cleanup_free char *path = str_printf("%s/" NAME "/%s", dir, name);
	cleanup_close int fd = fd_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return err_set_errno(err, errno, "%s", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(err, ERR_NOT_FOUND, "%s is no file", path);
	return fd_read_all(fd, DOCKER_FILE_MAX, ret, err);
}
