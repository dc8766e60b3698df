/* SPDX-License-Identifier: MIT */
/* Who is connected to what; see connections.h. */
#include "connections.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/config/paths.h"
#include "init/base/alloc.h"
#include "init/base/fs.h"

#define STAT_MAX 4096
#define STAT_STARTED 22 /* proc(5) */

/* When the process began, in the kernel's clock ticks; 0: there is none. */
static uint64_t started_of(uint64_t pid)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(STAT_MAX);
	char path[64];
	const char *at;

	snprintf(path, sizeof(path), "/proc/%" PRIu64 "/stat", pid);
	if (fs_read_file(path, STAT_MAX, &text, NULL) < 0)
		return 0;
	at = strrchr(buf_str(&text), ')');
	for (int field = 2; at && field < STAT_STARTED; field++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	return at ? strtoull(at, NULL, 10) : 0;
}

static bool is_chosen(char *const *patterns, size_t len, const char *name)
{
	for (size_t i = 0; i < len; i++) {
		if (fnmatch(patterns[i], name, 0) == 0)
			return true;
	}
	return len == 0;
}

/* A file that is being replaced, or that is none of ours, is passed over. */
static void read_one(const char *path, char *const *patterns, size_t len,
		     struct connection_list *ret)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(CONNECTION_FILE_MAX);
	cleanup(connection_finish) struct connection connection = { 0 };

	if (fs_read_file(path, CONNECTION_FILE_MAX, &text, NULL) < 0 ||
	    connection_parse(buf_span(&text), &connection, NULL) < 0)
		return;
	if (started_of(connection.pid) != connection.pid_started)
		unlink(path);
	else if (is_chosen(patterns, len, connection.job))
		connection_list_take(ret, &connection);
}

static bool ends_with(const char *name, const char *end)
{
	size_t len = strlen(name), end_len = strlen(end);

	return len > end_len && strcmp(name + len - end_len, end) == 0;
}

static int read_dir(const char *base, char *const *patterns, size_t len,
		    struct connection_list *ret, struct err *err)
{
	cleanup_free char *path = fs_join(base, "connections");
	DIR *dir = opendir(path);

	if (!dir)
		return errno == ENOENT ? 0 : err_set_errno(err, errno, "open %s", path);
	for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		cleanup_free char *file = fs_join(path, entry->d_name);

		if (ends_with(entry->d_name, ".json"))
			read_one(file, patterns, len, ret);
	}
	closedir(dir);
	return 0;
}

static int by_age(const void *a, const void *b)
{
	uint64_t first = ((const struct connection *)a)->since_ns;
	uint64_t second = ((const struct connection *)b)->since_ns;

	return (first > second) - (first < second);
}

int ops_list_connections(char *const *patterns, size_t len, struct connection_list *ret,
			 struct err *err)
{
	cleanup(paths_finish) struct paths paths = { 0 };
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	cleanup_free char *dir = NULL;

	if (paths_init(&paths, err) < 0)
		return -1;
	if (runtime && runtime[0] == '/') {
		dir = fs_join(runtime, "berth");
		if (read_dir(dir, patterns, len, ret, err) < 0)
			return -1;
	}
	if (read_dir(paths.state_dir, patterns, len, ret, err) < 0)
		return -1;
	if (len > 0 && ret->len == 0)
		return err_set(err, ERR_NOT_FOUND,
			       "nothing is connected to '%.80s': 'berth get connections' lists "
			       "what is",
			       patterns[0]);
	if (ret->len > 0)
		qsort(ret->items, ret->len, sizeof(*ret->items), by_age);
	return 0;
}
