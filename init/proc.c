/* SPDX-License-Identifier: MIT */
/* Processes as /proc shows them; see proc.h. */
#include "proc.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init/base/fd.h"
#include "init/base/text.h"

/* The fields that are read end well within this; the longest process name has 64 bytes. */
#define STAT_MAX 512
#define LISTING_SIZE 4096

/* Fields of stat, counted from the one after the name. */
enum { FIELD_STATE, FIELD_PARENT, FIELD_GROUP, FIELD_START = 19 };

/* getdents64(2); not every C library declares it. */
struct listing_entry {
	uint64_t inode;
	int64_t offset;
	uint16_t len;
	uint8_t type;
	char name[];
};

bool proc_is_usable(void)
{
	char self[16], link[16];
	ssize_t len = readlink("/proc/self", link, sizeof(link) - 1);

	if (len <= 0)
		return false;
	link[len] = '\0';
	snprintf(self, sizeof(self), "%d", (int)getpid());
	return strcmp(self, link) == 0;
}

/* The digits at the head of a field; a field that is no number counts as 0. */
static uint64_t field_number(struct span field)
{
	uint64_t value = 0;

	for (; field.len > 0 && *field.ptr >= '0' && *field.ptr <= '9'; span_cut(&field, 1))
		value = value * 10 + (uint64_t)(*field.ptr - '0');
	return value;
}

bool proc_parse_stat(struct span text, struct proc_stat *ret)
{
	const uint8_t *name_end = memrchr(text.ptr, ')', text.len);
	struct proc_stat stat = { .pid = (pid_t)field_number(text) };
	struct span rest;

	if (!name_end || stat.pid <= 0)
		return false;
	rest = span_of(name_end + 1, (size_t)(text.ptr + text.len - name_end - 1));
	for (int i = 0; rest.len > 1; i++) {
		const uint8_t *end = memchr(rest.ptr + 1, ' ', rest.len - 1);
		struct span field = span_cut(&rest, end ? (size_t)(end - rest.ptr) : rest.len);

		span_cut(&field, 1);
		if (i == FIELD_PARENT) {
			stat.parent = (pid_t)field_number(field);
		} else if (i == FIELD_GROUP) {
			stat.group = (pid_t)field_number(field);
		} else if (i == FIELD_START) {
			stat.start = field_number(field);
			*ret = stat;
			return true;
		}
	}
	return false;
}

bool proc_read_stat(pid_t pid, struct proc_stat *ret)
{
	cleanup_close int fd = -1;
	char path[32], text[STAT_MAX];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = fd_open(path, O_RDONLY);
	if (fd < 0)
		return false;
	len = read(fd, text, sizeof(text));
	return len > 0 && proc_parse_stat(span_of(text, (size_t)len), ret);
}

void proc_each_number(const char *dir, void (*visit)(unsigned int number, void *arg), void *arg)
{
	cleanup_close int fd = fd_open(dir, O_RDONLY | O_DIRECTORY);
	_Alignas(struct listing_entry) char listing[LISTING_SIZE];
	long len;

	while (fd >= 0 && (len = syscall(SYS_getdents64, fd, listing, sizeof(listing))) > 0) {
		for (long at = 0; at < len;) {
			const struct listing_entry *entry = (const void *)(listing + at);
			uint64_t number;

			if (text_parse_uint(entry->name, INT_MAX, &number))
				visit((unsigned int)number, arg);
			at += entry->len;
		}
	}
}
