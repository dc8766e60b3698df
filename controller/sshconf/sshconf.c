/* SPDX-License-Identifier: MIT */
/* The user's ssh configuration: the Include line; see sshconf.h. */
#include "sshconf.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "controller/sshconf/text.h"
#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/fs.h"

#define CONFIG_MAX (4 * 1024 * 1024)
#define LINKS_MAX 40
#define LOCK_TRIES 100
#define LOCK_PAUSE_NS (50 * 1000 * 1000)
#define CHANGE_TRIES 5

/* The directory that holds a path. free() it. */
static char *directory_of(const char *path)
{
	cleanup_free char *copy = str_dup(path);

	return str_dup(dirname(copy));
}

/* Follows symbolic links one by one: the last may lead to a file that is not there yet. */
static int resolve(const char *path, char **ret, struct err *err)
{
	cleanup_free char *at = str_dup(path);

	for (int i = 0; i < LINKS_MAX; i++) {
		char target[PATH_MAX];
		ssize_t len = readlink(at, target, sizeof(target) - 1);
		cleanup_free char *dir = directory_of(at);

		if (len < 0 && (errno == EINVAL || errno == ENOENT)) {
			*ret = take_ptr(at);
			return 0;
		}
		if (len < 0)
			return err_set_errno(err, errno, "%s", path);
		target[len] = '\0';
		free(at);
		at = fs_join(dir, target);
	}
	return err_set(err, ERR_INVALID, "%s: more than %d symbolic links", path, LINKS_MAX);
}

/* Whether the user (or the file system) keeps a path from being changed. The mode is looked at too:
 * root may write anything, and a file without write permission was made so on purpose. */
static bool is_read_only(const char *path, const struct stat *st)
{
	return !(st->st_mode & S_IWUSR) || access(path, W_OK) < 0 || st->st_uid != geteuid();
}

/* Says which path is in the way, or nothing. free() it. */
static char *find_obstacle(const char *target, bool exists, const struct stat *st)
{
	cleanup_free char *dir = directory_of(target);
	struct stat dir_st;

	if (exists && is_read_only(target, st))
		return str_printf("%s is read-only or not yours", target);
	if (stat(dir, &dir_st) < 0)
		return str_printf("%s is not there", dir);
	if (!(dir_st.st_mode & S_IWUSR) || access(dir, W_OK) < 0)
		return str_printf("%s is read-only", dir);
	return NULL;
}

static int lock(const struct sshconf *sc, int *ret_fd, struct err *err)
{
	cleanup_free char *path = fs_join(sc->jobs_dir, ".lock");
	cleanup_close int fd = fd_open_mode(path, O_RDWR | O_CREAT, 0600);

	if (fd < 0)
		return err_set_errno(err, errno, "create %s", path);
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
			*ret_fd = take_fd(fd);
			return 0;
		}
		nanosleep(&(struct timespec){ .tv_nsec = LOCK_PAUSE_NS }, NULL);
	}
	return err_set(err, ERR_UNAVAILABLE, "%s is held by another berth: try again", path);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/*
 * One attempt at the file itself. 1: done; 0: read-only; -1: failed; 2: somebody (an editor, which
 * knows nothing of our lock) changed it while we read it.
 */
static int try_include(const char *target, char **ret_why, struct err *err)
{
	cleanup(buf_finish) struct buf old = BUF_INIT(CONFIG_MAX);
	cleanup(buf_finish) struct buf new = BUF_INIT(CONFIG_MAX + 64);
	struct stat st = { 0 }, now = { 0 };
	bool exists = stat(target, &st) == 0;

	if (exists && !S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, "%s is not a file: move it away", target);
	if (exists && fs_read_file(target, CONFIG_MAX, &old, err) < 0)
		return -1;
	switch (text_find_include(buf_span(&old))) {
	case TEXT_INCLUDE_PRESENT:
		return 1;
	case TEXT_NOT_TEXT:
		return err_set(err, ERR_INVALID,
			       "%s holds NUL bytes and is not a text file: repair it, or move it "
			       "away",
			       target);
	case TEXT_INCLUDE_MISSING:
		break;
	}
	*ret_why = find_obstacle(target, exists, &st);
	if (*ret_why)
		return 0;
	if (text_add_include(buf_span(&old), &new, err) < 0)
		return -1;
	if ((stat(target, &now) == 0) != exists || (exists && !same_file(&st, &now)))
		return 2;
	if (fs_write_file(target, buf_span(&new), exists ? st.st_mode & 07777 : 0600, err) < 0)
		return -1;
	return 1;
}

/*
 * ~/.ssh and our directory in it. 0 when they cannot be made because what holds them is read-only.
 */
static int make_directories(const struct sshconf *sc, char **ret_why, struct err *err)
{
	struct err own;

	if (fs_make_dirs(sc->jobs_dir, 0700, &own) == 0)
		return 1;
	if (own.kind != ERR_DENIED)
		return err_set(err, own.kind, "%s", own.text);
	*ret_why = str_dup(own.text);
	return 0;
}

int sshconf_include(const struct sshconf *sc, char **ret_why, struct err *err)
{
	cleanup_free char *target = NULL;
	cleanup_close int locked = -1;
	int result = make_directories(sc, ret_why, err);

	if (result <= 0)
		return result;
	if (lock(sc, &locked, err) < 0 || resolve(sc->config, &target, err) < 0)
		return -1;
	for (int i = 0; i < CHANGE_TRIES; i++) {
		result = try_include(target, ret_why, err);
		if (result != 2)
			return result;
	}
	return err_set(err, ERR_UNAVAILABLE, "%s keeps changing: try again", target);
}

int sshconf_has_include(const struct sshconf *sc, struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(CONFIG_MAX);
	struct err own;

	if (fs_read_file(sc->config, CONFIG_MAX, &text, &own) < 0)
		return own.kind == ERR_NOT_FOUND ? 0 : err_set(err, own.kind, "%s", own.text);
	switch (text_find_include(buf_span(&text))) {
	case TEXT_INCLUDE_PRESENT:
		return 1;
	case TEXT_INCLUDE_MISSING:
		return 0;
	case TEXT_NOT_TEXT:
		break;
	}
	return err_set(err, ERR_INVALID, "%s holds NUL bytes and is not a text file: repair it",
		       sc->config);
}
