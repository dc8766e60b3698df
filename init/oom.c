/* SPDX-License-Identifier: MIT */
/* Processes that were killed for want of memory; see oom.h. */
#include "oom.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "init/base/cleanup.h"
#include "init/base/fd.h"
#include "init/base/text.h"

#define TEXT_MAX 4096
#define NUMBER_SIZE 24

static const struct {
	const char *mount, *file;
} versions[] = {
	{ "/sys/fs/cgroup/memory", "memory.oom_control" },
	{ "/sys/fs/cgroup", "memory.events" },
};

/* What comes before the separator, which is dropped; everything when there is none. */
static struct span cut_until(struct span *text, char separator)
{
	const uint8_t *end = text->len > 0 ? memchr(text->ptr, separator, text->len) : NULL;
	struct span found = span_cut(text, end ? (size_t)(end - text->ptr) : text->len);

	if (end)
		span_cut(text, 1);
	return found;
}

bool oom_next_group(struct span *lines, struct span *ret_path, bool *ret_is_v2)
{
	while (lines->len > 0) {
		struct span line = cut_until(lines, '\n');
		bool is_v2 = span_equal_str(cut_until(&line, ':'), "0");
		struct span controllers = cut_until(&line, ':');
		bool is_memory = is_v2 && controllers.len == 0;

		while (controllers.len > 0 && !is_memory)
			is_memory = span_equal_str(cut_until(&controllers, ','), "memory");
		if (!is_memory || line.len == 0 || *line.ptr != '/')
			continue;
		*ret_path = line;
		*ret_is_v2 = is_v2;
		return true;
	}
	return false;
}

bool oom_parse_count(struct span text, uint64_t *ret)
{
	char number[NUMBER_SIZE];

	while (text.len > 0) {
		struct span line = cut_until(&text, '\n');

		if (!span_equal_str(cut_until(&line, ' '), "oom_kill") ||
		    line.len >= sizeof(number))
			continue;
		memcpy(number, line.ptr, line.len);
		number[line.len] = '\0';
		return text_parse_uint(number, UINT64_MAX, ret);
	}
	return false;
}

static struct span read_some(const char *path, char text[TEXT_MAX])
{
	cleanup_close int fd = fd_open(path, O_RDONLY);
	ssize_t len = fd < 0 ? 0 : read(fd, text, TEXT_MAX);

	return span_of(text, len > 0 ? (size_t)len : 0);
}

static bool read_count(struct span group, bool is_v2, uint64_t *ret)
{
	char path[PATH_MAX], text[TEXT_MAX];
	int len = snprintf(path, sizeof(path), "%s%.*s/%s", versions[is_v2].mount, (int)group.len,
			   (const char *)group.ptr, versions[is_v2].file);

	return len > 0 && (size_t)len < sizeof(path) && oom_parse_count(read_some(path, text), ret);
}

bool oom_count(uint64_t *ret)
{
	char text[TEXT_MAX];
	struct span lines = read_some("/proc/self/cgroup", text), group;
	bool is_v2;

	while (oom_next_group(&lines, &group, &is_v2)) {
		if (read_count(group, is_v2, ret) || read_count(span_of("", 0), is_v2, ret))
			return true;
	}
	return false;
}
