/* SPDX-License-Identifier: MIT */
/* Copying programs and files into a container; see install.h. */
#include "install.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/fs.h"

#define PART ".part"
#define PART_DIGITS 2
#define PARTS_MAX 100
#define PIECE 65536
#define APPLETS_MAX 65536
#define OTHERS 0077

struct copying {
	char *from, *to;
	mode_t mode;
};

static void copying_finish(struct copying *c)
{
	free(c->from);
	free(c->to);
}
DEFINE_CLEANUP_VALUE(struct copying, copying_finish)

static int parse(const char *what, struct copying *ret, struct err *err)
{
	const char *first = strchr(what, ':'), *second = first ? strchr(first + 1, ':') : NULL;
	char *end = NULL;
	unsigned long mode = second ? strtoul(second + 1, &end, 8) : 0;

	if (what[0] != '/' || !second || first[1] != '/' || end == second + 1 || *end ||
	    mode > 0777)
		return err_set(err, ERR_INVALID,
			       "--install: '%.100s' is not FROM:TO:MODE, such as /a:/b:0555", what);
	ret->from = str_dup_len(what, (size_t)(first - what));
	ret->to = str_dup_len(first + 1, (size_t)(second - first - 1));
	ret->mode = (mode_t)mode;
	return 0;
}

static int append(int to, const char *path, struct err *err)
{
	static uint8_t piece[PIECE];
	cleanup_close int from = fd_open(path, O_RDONLY);
	ssize_t n;

	if (from < 0)
		return err_set_errno(err, errno, "open %s", path);
	while ((n = read(from, piece, sizeof(piece))) > 0) {
		if (fd_write_all(to, span_of(piece, (size_t)n), err) < 0)
			return -1;
	}
	return n < 0 ? err_set_errno(err, errno, "read %s", path) : 0;
}

static int append_parts(int to, const char *from, const char *name, struct err *err)
{
	for (unsigned int i = 0; i < PARTS_MAX; i++) {
		cleanup_free char *path = str_printf("%s/%s" PART "%02u", from, name, i);

		if (i > 0 && access(path, F_OK) < 0)
			break;
		if (append(to, path, err) < 0)
			return -1;
	}
	return 0;
}

static int copy(const struct copying *c, const char *name, bool is_in_parts, struct err *err)
{
	cleanup_free char *from = fs_join(c->from, name), *to = fs_join(c->to, name);
	cleanup_close int fd = -1;

	/* One of an earlier run may be a program that cannot be written to. */
	if (unlink(to) < 0 && errno != ENOENT)
		return err_set_errno(err, errno, "remove %s", to);
	fd = fd_open_mode(to, O_WRONLY | O_CREAT | O_EXCL, c->mode);
	if (fd < 0)
		return err_set_errno(err, errno, "create %s", to);
	if ((is_in_parts ? append_parts(fd, c->from, name, err) : append(fd, from, err)) < 0)
		return err_wrap(err, "%s", to);
	return fchmod(fd, c->mode) < 0 ? err_set_errno(err, errno, "chmod %s", to) : 0;
}

/* "NAME.part07": where ".part07" begins; NULL for any other name. */
static const char *find_part(const char *name)
{
	size_t len = strlen(name), tail = strlen(PART) + PART_DIGITS;
	const char *part = name + len - tail;

	if (len <= tail || strncmp(part, PART, strlen(PART)) != 0 ||
	    strspn(part + strlen(PART), "0123456789") != PART_DIGITS)
		return NULL;
	return part;
}

static bool is_file(const char *dir, const char *name)
{
	cleanup_free char *path = fs_join(dir, name);
	struct stat st;

	/* Through links: files of a volume are links to those of its present version. */
	return strncmp(name, "..", 2) != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int copy_entry(const struct copying *c, const char *entry, struct err *err)
{
	const char *part = find_part(entry);
	cleanup_free char *name = str_dup_len(entry, part ? (size_t)(part - entry) : strlen(entry));

	/* Its parts come with the first of them. */
	if (!is_file(c->from, entry) || (part && strcmp(part, PART "00") != 0))
		return 0;
	return copy(c, name, part != NULL, err);
}

/* Memory is only cut from here (arena_musl.c): there are hundreds of these. */
static int link_applets(const char *to, struct err *err)
{
	static char names[APPLETS_MAX + 1];
	cleanup_free char *list = fs_join(to, "applets"), *bin = fs_join(to, "bin");
	cleanup_free char *busybox = fs_join(to, "busybox");
	cleanup_close int from = fd_open(list, O_RDONLY), dir = -1;
	ssize_t len;

	if (from < 0 || access(busybox, X_OK) < 0)
		return 0;
	if (fs_make_dirs(bin, 0755, err) < 0)
		return -1;
	dir = fd_open(bin, O_RDONLY | O_DIRECTORY);
	len = dir < 0 ? -1 : read(from, names, APPLETS_MAX);
	if (len < 0)
		return err_set_errno(err, errno, "%s", bin);
	names[len] = '\0';
	for (char *name = names, *end; *name; name = end) {
		end = name + strcspn(name, "\n");
		if (*end)
			*end++ = '\0';
		if (*name && symlinkat("../busybox", dir, name) < 0 && errno != EEXIST)
			return err_set_errno(err, errno, "create %s/%s", bin, name);
	}
	return 0;
}

int install(const char *what, struct err *err)
{
	cleanup(copying_finish) struct copying c = { 0 };
	struct dirent *entry;
	int result = 0;
	DIR *list;

	if (parse(what, &c, err) < 0 || fs_make_dirs(c.to, c.mode & OTHERS ? 0755 : 0700, err) < 0)
		return -1;
	list = opendir(c.from);
	if (!list)
		return err_set_errno(err, errno, "open %s", c.from);
	while (result == 0 && (entry = readdir(list)))
		result = copy_entry(&c, entry->d_name, err);
	closedir(list);
	return result < 0 ? -1 : link_applets(c.to, err);
}
