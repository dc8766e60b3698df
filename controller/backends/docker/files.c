/* SPDX-License-Identifier: MIT */
/* Files of containers; see files.h. */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "controller/backends/docker/bound.h"
#include "controller/model/tar.h"
#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "init/base/text.h"

#define PUT_TIMEOUT_MS 300000

int docker_put_archive(struct engine *engine, const char *id, const char *below,
		       struct span archive, struct err *err)
{
	cleanup_free char *path = str_printf("/containers/%s/archive?path=%s", id, below);
	const struct engine_call call = {
		.method = "PUT", .path = path, .archive = archive, .timeout_ms = PUT_TIMEOUT_MS
	};

	return engine_call(engine, &call, NULL, err);
}

/* Regular files alone: links there are for who looks from here. */
static int add_file(struct buf *archive, const char *dir, const char *name,
		    const struct owner *owner, struct err *err)
{
	cleanup_free char *path = fs_join(dir, name);
	cleanup_free char *there = str_printf("%s/%s", &DOCKER_JOB_DIR[1], name);
	cleanup(buf_wipe) struct buf content = BUF_INIT(DOCKER_FILES_MAX);
	struct tar_file file = { .name = there, .uid = owner->uid, .gid = owner->gid };
	struct stat st;

	if (lstat(path, &st) < 0)
		return err_set_errno(err, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return 0;
	if (fs_read_file(path, DOCKER_FILES_MAX, &content, err) < 0)
		return -1;
	file.mode = st.st_mode & 0700;
	file.content = buf_span(&content);
	if (!tar_add(archive, &file))
		return err_set(err, ERR_LIMIT, "%s: the files of the job are too large", path);
	return 0;
}

static int add_all(struct buf *archive, const char *dir, const struct owner *owner, struct err *err)
{
	DIR *list = opendir(dir);
	struct dirent *entry;
	int result = 0;

	if (!list)
		return err_set_errno(err, errno, "list %s", dir);
	while (result == 0 && (entry = readdir(list)))
		result = add_file(archive, dir, entry->d_name, owner, err);
	closedir(list);
	return result;
}

int docker_put_job_files(struct engine *engine, const char *id, const char *dir, const char *name,
			 const struct owner *owner, struct err *err)
{
	cleanup(buf_wipe) struct buf archive = BUF_INIT(DOCKER_FILES_MAX);
	const struct tar_file top = {
		.name = &DOCKER_JOB_DIR "/"[1], .mode = 0700, .uid = owner->uid, .gid = owner->gid
	};
	bool ok = tar_add(&archive, &top);

	if (name ? add_file(&archive, dir, name, owner, err) < 0
		 : add_all(&archive, dir, owner, err) < 0)
		return -1;
	if (!ok || !tar_end(&archive))
		return err_set(err, ERR_LIMIT, "the files of the job are too large");
	return docker_put_archive(engine, id, "/", buf_span(&archive), err);
}

static int take(void *owner, struct span bytes, struct err *err)
{
	if (!buf_append_span(owner, bytes))
		return err_set(err, ERR_LIMIT, "the file is larger than %d bytes", DOCKER_FILE_MAX);
	return 0;
}

/* path: in the container, absolute. */
static int get_file(struct engine *engine, const char *id, const char *file, struct buf *ret,
		    struct err *err)
{
	cleanup_free char *path = str_printf("/containers/%s/archive?path=%s", id, file);
	cleanup(buf_wipe) struct buf archive = BUF_INIT(DOCKER_FILE_MAX + 64 * TAR_BLOCK);
	const struct engine_call call = { .path = path, .received = take, .owner = &archive };
	struct span content;

	if (engine_call(engine, &call, NULL, err) < 0)
		return -1;
	if (tar_first_file(buf_span(&archive), &content, err) < 0)
		return err_wrap(err, "%s of the container", file);
	if (!buf_append_span(ret, content))
		return err_set(err, ERR_LIMIT, "%s of the container is too large", file);
	return 0;
}

int docker_get_job_file(struct engine *engine, const char *id, const char *name, struct buf *ret,
			struct err *err)
{
	cleanup_free char *file = str_printf("%s/%s", DOCKER_JOB_DIR, name);

	return get_file(engine, id, file, ret, err);
}

bool docker_read_number(struct span file, const char *name, uint64_t *ret)
{
	size_t len = strlen(name);

	while (file.len > 0) {
		const uint8_t *newline = memchr(file.ptr, '\n', file.len);
		struct span line =
			span_cut(&file, newline ? (size_t)(newline - file.ptr) + 1 : file.len);
		cleanup_free char *text = str_dup_len((const char *)line.ptr, line.len);
		char *number;

		/* "name:password:NUMBER:..." in both. */
		if (strncmp(text, name, len) != 0 || text[len] != ':')
			continue;
		number = strchr(text + len + 1, ':');
		if (!number)
			continue;
		number[1 + strcspn(number + 1, ":\n")] = '\0';
		return text_parse_uint(number + 1, INT32_MAX, ret);
	}
	return false;
}

/* A number as it is, or a name as this file of the container has it. */
static int find_number(struct engine *engine, const char *id, const char *file, const char *text,
		       uint64_t *ret, struct err *err)
{
	cleanup(buf_finish) struct buf content = BUF_INIT(DOCKER_FILE_MAX);

	if (text_parse_uint(text, INT32_MAX, ret))
		return 0;
	if (get_file(engine, id, file, &content, err) < 0)
		return -1;
	if (docker_read_number(buf_span(&content), text, ret))
		return 0;
	return err_set(err, ERR_NOT_FOUND, "'%.40s' is not in %s of the image", text, file);
}

bool docker_read_owner(const char *user, struct owner *ret)
{
	const char *whole = user ? user : "";
	size_t len = strcspn(whole, ":");
	cleanup_free char *first = str_dup_len(whole, len);
	const char *group = whole[len] ? whole + len + 1 : "";
	uint64_t uid = 0, gid = 0;

	if ((first[0] && !text_parse_uint(first, INT32_MAX, &uid)) ||
	    (group[0] && !text_parse_uint(group, INT32_MAX, &gid)))
		return false;
	*ret = (struct owner){ .uid = (uid_t)uid, .gid = (gid_t)gid };
	return true;
}

int docker_find_owner(struct engine *engine, const char *id, const char *user, struct owner *ret,
		      struct err *err)
{
	const char *whole = user ? user : "";
	size_t len = strcspn(whole, ":");
	cleanup_free char *name = str_dup_len(whole, len);
	const char *group = whole[len] ? whole + len + 1 : "";
	uint64_t uid = 0, gid = 0;

	if ((name[0] && find_number(engine, id, "/etc/passwd", name, &uid, err) < 0) ||
	    (group[0] && find_number(engine, id, "/etc/group", group, &gid, err) < 0))
		return err_wrap(err, "user '%.40s'", whole);
	*ret = (struct owner){ .uid = (uid_t)uid, .gid = (gid_t)gid };
	return 0;
}

/* Out of the container, by whichever way leads there. */
static int read_job_file(struct engine *engine, const char *id, const char *dir, const char *name,
			 struct buf *ret, struct err *err)
{
	struct err own;

	if (!bound_exists(dir))
		return docker_get_job_file(engine, id, name, ret, err);
	if (bound_get(dir, name, ret, &own) == 0)
		return 0;
	return own.kind == ERR_DENIED ? docker_get_job_file(engine, id, name, ret, err)
				      : err_set(err, own.kind, "%s", own.text);
}

int docker_fetch_job_file(struct engine *engine, const char *id, const char *dir, const char *name,
			  struct err *err)
{
	cleanup_free char *path = fs_join(dir, name);
	cleanup(buf_wipe) struct buf content = BUF_INIT(DOCKER_FILE_MAX);

	if (read_job_file(engine, id, dir, name, &content, err) < 0)
		return -1;
	return fs_write_file_unsynced(path, buf_span(&content), 0600, err);
}
