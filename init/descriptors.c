/* SPDX-License-Identifier: MIT */
/* Letting go of descriptors; see descriptors.h. */
#include "descriptors.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init/base/fd.h"

#define FD_FIRST 3
/* Before Linux 5.9 they are closed one by one; numbers this high are rare, and harmless. */
#define FD_ONE_BY_ONE_MAX 4096

static void point_nowhere(void)
{
	int fd = fd_open("/dev/null", O_RDWR);

	/* A root without devices has at least itself: neither readable nor writable. */
	if (fd < 0)
		fd = fd_open("/", O_PATH);
	for (int standard = 0; fd >= 0 && standard < FD_FIRST; standard++) {
		if (fd == standard)
			fcntl(fd, F_SETFD, 0);
		else if (dup2(fd, standard) < 0)
			return;
	}
	if (fd >= FD_FIRST)
		fd_close(fd);
}

static void close_between(int first, int last)
{
	if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
		return;
	for (int fd = first; fd <= MIN(last, FD_ONE_BY_ONE_MAX); fd++)
		close(fd);
}

/* The lowest of the named descriptors from the given one on, or INT_MAX. */
static int next_kept(const int *keep, size_t len, int from)
{
	int lowest = INT_MAX;

	for (size_t i = 0; i < len; i++) {
		if (keep[i] >= from && keep[i] < lowest)
			lowest = keep[i];
	}
	return lowest;
}

void descriptors_let_go(const int *keep, size_t len)
{
	int first = FD_FIRST, kept;

	point_nowhere();
	while ((kept = next_kept(keep, len, first)) < INT_MAX) {
		close_between(first, kept - 1);
		first = kept + 1;
	}
	close_between(first, INT_MAX);
}

int descriptors_copy(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, FD_FIRST);
}

int descriptors_copy_unblocking(int fd)
{
	cleanup_close int own = -1;
	struct stat st;
	char path[32];

	/*
	 * The flag belongs to the open file, which is the command's too; a pipe and a terminal can
	 * be opened anew. A regular file cannot, as its position would be another; it does not
	 * block.
	 */
	if (fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || isatty(fd))) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		own = fd_open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY);
	}
	return descriptors_copy(own >= 0 ? own : fd);
}
