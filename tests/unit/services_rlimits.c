/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init/base/fd.h"
#include "init/base/macro.h"
#include "tunnel/services/rlimits.h"

struct state {
	struct rlimit files, data, core;
	char score[RLIMITS_SCORE_SIZE];
};

static struct state look(void)
{
	struct state now = { 0 };
	int fd = fd_open("/proc/self/oom_score_adj", O_RDONLY);

	assert_true(fd >= 0 && read(fd, now.score, sizeof(now.score) - 1) > 0);
	fd_close(fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &now.files), 0);
	assert_int_equal(getrlimit(RLIMIT_DATA, &now.data), 0);
	assert_int_equal(getrlimit(RLIMIT_CORE, &now.core), 0);
	return now;
}

static void lower(int resource, rlim_t soft)
{
	struct rlimit value;

	assert_int_equal(getrlimit((__rlimit_resource_t)resource, &value), 0);
	value.rlim_cur = MIN(soft, value.rlim_max);
	assert_int_equal(setrlimit((__rlimit_resource_t)resource, &value), 0);
}

/* What berth-init does to the tunnel. */
static void become_tunnel(void)
{
	int fd = fd_open("/proc/self/oom_score_adj", O_WRONLY);

	lower(RLIMIT_NOFILE, 200);
	lower(RLIMIT_DATA, 1 << 30);
	lower(RLIMIT_CORE, 0);
	assert_true(fd >= 0 && write(fd, "500", 3) == 3);
	fd_close(fd);
}

static void exchange(int pipe_fds[2], struct state *ret)
{
	assert_int_equal(read(pipe_fds[0], ret, sizeof(*ret)), sizeof(*ret));
}

static void a_process_of_the_tunnel_has_the_jobs_limits(void **unused)
{
	struct state before = look(), tunnel, process;
	int pipe_fds[2], status;
	pid_t pid;

	(void)unused;
	assert_int_equal(pipe(pipe_fds), 0);
	pid = fork();
	if (pid == 0) {
		struct rlimits limits;
		struct state now;

		become_tunnel();
		rlimits_of_job(&limits);
		now = look();
		if (write(pipe_fds[1], &now, sizeof(now)) < 0)
			_exit(1);
		rlimits_apply(&limits);
		now = look();
		_exit(write(pipe_fds[1], &now, sizeof(now)) < 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	exchange(pipe_fds, &tunnel);
	exchange(pipe_fds, &process);
	assert_string_equal(tunnel.score, "500\n");
	assert_int_equal(tunnel.core.rlim_cur, 0);
	assert_int_equal(tunnel.files.rlim_cur, 200);
	assert_memory_equal(&process, &before, sizeof(before));
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void nothing_known_changes_nothing(void **unused)
{
	struct state before = look(), after;

	(void)unused;
	rlimits_apply(&(struct rlimits){ 0 });
	after = look();
	assert_memory_equal(&after, &before, sizeof(before));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_of_the_tunnel_has_the_jobs_limits),
		cmocka_unit_test(nothing_known_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
