/* SPDX-License-Identifier: MIT */
/* The job's own directory on this node; see scratch.h. */
#include "scratch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "init/base/log.h"

#define RETRY_MS 50

void scratch_init(struct scratch *scratch, const char *const *places, const char *job,
		  unsigned int rank)
{
	*scratch = (struct scratch){
		.places = places,
		.name = str_printf("berth-%u-%s.%u", (unsigned int)getuid(), job, rank),
	};
}

void scratch_finish(struct scratch *scratch)
{
	free(scratch->name);
	free(scratch->path);
	*scratch = (struct scratch){ 0 };
}

/*
 * In a directory that everybody may write to, somebody else may have been first: what is there is
 * used only if it is ours alone.
 */
static bool is_own(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == getuid() &&
	       (st.st_mode & 0777) == 0700;
}

static bool make_own(const char *path)
{
	return mkdir(path, 0700) == 0 || (errno == EEXIST && is_own(path));
}

static bool make_path(struct scratch *scratch)
{
	for (const char *const *place = scratch->places; *place; place++) {
		cleanup_free char *path = fs_join(*place, scratch->name);

		if (path[0] == '/' && make_own(path)) {
			scratch->path = take_ptr(path);
			return true;
		}
	}
	log_info("sessions: no directory of their own: %s cannot be made anywhere", scratch->name);
	return false;
}

bool scratch_make(struct scratch *scratch, const char *name, char ret[PATH_MAX])
{
	int len;

	if (!scratch->path && !scratch->failed)
		scratch->failed = !make_path(scratch);
	if (!scratch->path)
		return false;
	len = snprintf(ret, PATH_MAX, "%s/%s", scratch->path, name);
	return len < PATH_MAX && make_own(ret);
}

static void remove_from(const char *path, unsigned int timeout_ms)
{
	const struct timespec pause = { .tv_nsec = RETRY_MS * 1000000L };
	struct err err;

	while (fs_remove_tree(path, &err) < 0) {
		if (timeout_ms < RETRY_MS) {
			log_warn("sessions: %s is left behind: %s", path, err.text);
			return;
		}
		timeout_ms -= RETRY_MS;
		nanosleep(&pause, NULL);
	}
}

void scratch_remove(struct scratch *scratch, unsigned int timeout_ms)
{
	/* Also what a predecessor made. */
	for (const char *const *place = scratch->places; *place; place++) {
		cleanup_free char *path = fs_join(*place, scratch->name);

		if (is_own(path))
			remove_from(path, timeout_ms);
	}
}
