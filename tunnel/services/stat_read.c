/* SPDX-License-Identifier: MIT */
/* One look at what a job uses; see stat_read.h. */
#include "stat_read.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/cleanup.h"
#include "init/base/fd.h"
#include "init/base/text.h"
#include "stat_text.h"

#define TEXT_MAX 4096
/* io.stat has a line for each device. */
#define IO_TEXT_MAX (64 * 1024)

/* A file as far as it fits; empty when it cannot be read. */
static struct span read_text(const char *path, char *text, size_t size)
{
	cleanup_close int fd = fd_open(path, O_RDONLY);
	size_t len = 0;
	ssize_t n = 1;

	while (fd >= 0 && len < size && (n = read(fd, text + len, size - len)) > 0)
		len += (size_t)n;
	return span_of(text, len);
}

enum membership { UNKNOWN, INSIDE, OUTSIDE };

struct entry {
	struct stat_process process;
	enum membership membership;
};

struct table {
	struct entry *entries; /* by pid */
	size_t len, size;
	bool truncated;
};

static int compare(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;

	return (left->process.pid > right->process.pid) - (left->process.pid < right->process.pid);
}

static struct entry *find(const struct table *table, pid_t pid)
{
	const struct entry key = { .process.pid = pid };

	return table->len == 0 ? NULL
			       : bsearch(&key, table->entries, table->len, sizeof(key), compare);
}

static void read_process(const struct stat_source *source, const char *name, struct table *table)
{
	char path[PATH_MAX], text[TEXT_MAX];
	struct stat_process process;

	snprintf(path, sizeof(path), "%s/%s/stat", source->proc, name);
	/* It may have ended since its name was read. */
	if (!stat_parse_process(read_text(path, text, sizeof(text)), &process))
		return;
	if (table->len == table->size) {
		table->size = table->size ? 2 * table->size : 256;
		table->entries = alloc_grow(table->entries, table->size, sizeof(struct entry));
	}
	table->entries[table->len++] = (struct entry){ .process = process };
}

static void read_processes(const struct stat_source *source, struct table *table)
{
	DIR *dir = opendir(source->proc);
	const struct dirent *entry;
	uint64_t pid;

	while (dir && (entry = readdir(dir))) {
		if (!text_parse_uint(entry->d_name, INT_MAX, &pid))
			continue;
		if (table->len == STAT_PROCESSES_MAX) {
			table->truncated = true;
			break;
		}
		read_process(source, entry->d_name, table);
	}
	if (dir)
		closedir(dir);
	if (table->len > 0)
		qsort(table->entries, table->len, sizeof(struct entry), compare);
}

/*
 * Goes up from an entry to the first whose membership is known, and tells the whole way. Parents
 * can change while we read, so that they may form a ring: such a way is outside.
 */
static void find_membership(const struct table *table, struct entry *from)
{
	enum membership found = OUTSIDE;
	struct entry *at = from;

	for (size_t steps = 0; at && steps <= table->len; steps++) {
		if (at->membership != UNKNOWN) {
			found = at->membership;
			break;
		}
		at = find(table, at->process.parent);
	}
	for (at = from; at && at->membership == UNKNOWN; at = find(table, at->process.parent))
		at->membership = found;
}

static void add_process(const struct stat_source *source, const struct stat_process *process,
			struct stat_sample *ret)
{
	char path[PATH_MAX], text[TEXT_MAX];
	uint64_t value;
	struct span io;

	ret->processes++;
	ret->threads += process->threads;
	ret->running += process->state == 'R';
	ret->cpu_ns += process->cpu_ticks * (NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
	ret->rss += process->rss_pages * (uint64_t)sysconf(_SC_PAGESIZE);
	snprintf(path, sizeof(path), "%s/%d/io", source->proc, (int)process->pid);
	io = read_text(path, text, sizeof(text));
	if (stat_parse_member(io, "read_bytes", &value))
		ret->read += value;
	if (stat_parse_member(io, "write_bytes", &value))
		ret->written += value;
}

static void read_tree(const struct stat_source *source, struct stat_sample *ret)
{
	struct table table = { 0 };
	struct entry *root;

	read_processes(source, &table);
	ret->truncated = table.truncated;
	root = find(&table, source->root);
	if (root)
		root->membership = INSIDE;
	for (size_t i = 0; i < table.len; i++) {
		find_membership(&table, &table.entries[i]);
		if (table.entries[i].membership == INSIDE)
			add_process(source, &table.entries[i].process, ret);
	}
	free(table.entries);
}

/* A file of a cgroup: "ROOT[/CONTROLLER]PATH/NAME". */
static struct span read_member(const char *dir, const char *name, char *text, size_t size)
{
	char path[PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s/%s", dir, name);

	if (len < 0 || (size_t)len >= sizeof(path))
		return (struct span){ 0 };
	return read_text(path, text, size);
}

static uint64_t read_number(const char *dir, const char *name)
{
	char text[TEXT_MAX];
	uint64_t value;

	if (!stat_parse_number(read_member(dir, name, text, sizeof(text)), &value))
		return UINT64_MAX;
	/* Version 1 says "no limit" with the largest number of whole pages. */
	return value >= (UINT64_C(1) << 62) ? UINT64_MAX : value;
}

static void read_io(const char *dir, const char *name, struct stat_cgroup *ret)
{
	char *text = alloc_zero(IO_TEXT_MAX, 1);
	struct span io = read_member(dir, name, text, IO_TEXT_MAX);

	if (io.len > 0)
		stat_parse_io(io, &ret->read, &ret->written);
	free(text);
}

/* The root of all cgroups has no such files: what it would tell is the machine, not the job. */
static void read_version_2(const char *dir, struct stat_cgroup *ret)
{
	char text[TEXT_MAX];
	uint64_t usec;

	ret->memory = read_number(dir, "memory.current");
	ret->memory_peak = read_number(dir, "memory.peak");
	ret->memory_max = read_number(dir, "memory.max");
	ret->processes = read_number(dir, "pids.current");
	if (ret->memory == UINT64_MAX && ret->processes == UINT64_MAX)
		return;
	ret->version = 2;
	if (stat_parse_member(read_member(dir, "cpu.stat", text, sizeof(text)), "usage_usec",
			      &usec) &&
	    usec < UINT64_MAX / 1000)
		ret->cpu_ns = usec * 1000;
	read_io(dir, "io.stat", ret);
}

/*
 * The directory of the job in the hierarchy of a controller. A container may see its own cgroup as
 * the root while /proc names it as the host does: then the root is taken.
 */
static bool find_dir(const struct stat_source *source, struct span text, const char *controller,
		     char out[PATH_MAX])
{
	char root[PATH_MAX / 2];
	struct span path;

	if (!stat_parse_cgroup(text, controller, &path))
		return false;
	snprintf(root, sizeof(root), "%s%s%s", source->cgroup, controller ? "/" : "",
		 controller ? controller : "");
	snprintf(out, PATH_MAX, "%s%.*s", root, (int)MIN(path.len, (size_t)PATH_MAX / 2 - 1),
		 (const char *)path.ptr);
	if (access(out, X_OK) < 0)
		snprintf(out, PATH_MAX, "%s", root);
	return true;
}

static void read_version_1(const struct stat_source *source, struct span text,
			   struct stat_cgroup *ret)
{
	char dir[PATH_MAX];

	if (find_dir(source, text, "memory", dir)) {
		ret->memory = read_number(dir, "memory.usage_in_bytes");
		ret->memory_peak = read_number(dir, "memory.max_usage_in_bytes");
		ret->memory_max = read_number(dir, "memory.limit_in_bytes");
	}
	if (find_dir(source, text, "cpuacct", dir))
		ret->cpu_ns = read_number(dir, "cpuacct.usage");
	if (find_dir(source, text, "pids", dir))
		ret->processes = read_number(dir, "pids.current");
	if (find_dir(source, text, "blkio", dir))
		read_io(dir, "blkio.throttle.io_service_bytes_recursive", ret);
	ret->version = ret->memory != UINT64_MAX || ret->cpu_ns != UINT64_MAX ? 1 : 0;
}

static void read_cgroup(const struct stat_source *source, struct stat_cgroup *ret)
{
	char path[PATH_MAX], text[TEXT_MAX], dir[PATH_MAX];
	struct span groups;

	*ret = (struct stat_cgroup){ 0,		 UINT64_MAX, UINT64_MAX, UINT64_MAX,
				     UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX };
	snprintf(path, sizeof(path), "%s/%d/cgroup", source->proc, (int)source->root);
	groups = read_text(path, text, sizeof(text));
	if (find_dir(source, groups, NULL, dir))
		read_version_2(dir, ret);
	if (ret->version == 0)
		read_version_1(source, groups, ret);
}

void stat_read(const struct stat_source *source, struct stat_sample *ret)
{
	struct timespec now;

	*ret = (struct stat_sample){ 0 };
	clock_gettime(CLOCK_REALTIME, &now);
	ret->time = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	clock_gettime(CLOCK_MONOTONIC, &now);
	ret->monotonic_ns = (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
	read_tree(source, ret);
	read_cgroup(source, &ret->cgroup);
}
