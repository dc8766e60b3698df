/* SPDX-License-Identifier: MIT */
/* The limits of the job; see rlimits.h. */
#include "rlimits.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "init/base/cleanup.h"
#include "init/base/fd.h"
#include "init/base/macro.h"

static const int resources[RLIMITS_COUNT] = { RLIMIT_NOFILE, RLIMIT_DATA, RLIMIT_CORE };

static void read_oom_score(pid_t pid, char out[RLIMITS_SCORE_SIZE])
{
	cleanup_close int fd = -1;
	char path[48];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	fd = fd_open(path, O_RDONLY);
	len = fd < 0 ? 0 : read(fd, out, RLIMITS_SCORE_SIZE - 1);
	out[len > 0 ? len : 0] = '\0';
}

void rlimits_of_job(struct rlimits *ret)
{
	/* 0, a parent outside of our PID namespace, is ourselves to prlimit(2). */
	pid_t parent = getppid();

	*ret = (struct rlimits){ 0 };
	for (size_t i = 0; i < RLIMITS_COUNT; i++) {
		struct rlimit *value = &ret->items[i].value;

		ret->items[i].is_known =
			prlimit(parent, (__rlimit_resource_t)resources[i], NULL, value) == 0 ||
			getrlimit((__rlimit_resource_t)resources[i], value) == 0;
	}
	if (parent > 0)
		read_oom_score(parent, ret->oom_score);
}

void rlimits_apply(const struct rlimits *limits)
{
	int fd;

	for (size_t i = 0; i < RLIMITS_COUNT; i++) {
		if (limits->items[i].is_known &&
		    setrlimit((__rlimit_resource_t)resources[i], &limits->items[i].value) < 0)
			continue;
	}
	if (limits->oom_score[0] == '\0')
		return;
	fd = fd_open("/proc/self/oom_score_adj", O_WRONLY);
	if (fd >= 0 && write(fd, limits->oom_score, strlen(limits->oom_score)) < 0)
		fd = fd_close(fd);
	fd_close(fd);
}
