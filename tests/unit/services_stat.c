/* SPDX-License-Identifier: MIT */
/* GET /stat and POST /signal: a real loop, real processes, a fake stream. */
#include "tests/unit/services_world.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init/base/fs.h"
#include "tests/unit/unit.h"

static struct world world;
static char dir[64], path[96];
static char *environment[] = { path, NULL };

/* A program in the place of nvidia-smi. */
static void put_gpu_program(const char *script)
{
	cleanup_free char *file = fs_join(dir, "nvidia-smi");

	assert_int_equal(fs_write_file(file, span_of_str(script), 0755, NULL), 0);
}

static int open_world(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/berth-stat-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "PATH=%s", dir);
	world_open(&world,
		   &(struct service_config){ .environment = environment,
					     .rank = 3,
					     .stat = { "/proc", "/sys/fs/cgroup", getpid() } });
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	world_close(&world);
	assert_int_equal(fs_remove_tree(dir, NULL), 0);
	return 0;
}

static struct client *get(const char *what)
{
	return world_request(&world, &(struct h3_request){ .method = "GET", .path = what });
}

static struct client *post(const char *what)
{
	return world_request(&world, &(struct h3_request){ .method = "POST", .path = what });
}

static size_t count_lines(struct client *c)
{
	size_t lines = 0;

	for (const char *at = buf_str(&c->out); (at = strchr(at, '\n')); at++)
		lines++;
	return lines;
}

static bool has_three_lines(struct world *w)
{
	return count_lines(&w->clients[0]) >= 3;
}

static void one_line_tells_what_is_used(void **state)
{
	struct client *c = get("/stat");
	const char *line;

	(void)state;
	world_wait(&world, all_ended);
	assert_int_equal(c->stream->status, 200);
	line = buf_str(&c->out);
	assert_int_equal(count_lines(c), 1);
	assert_int_equal(strncmp(line, "{\"version\":1,\"rank\":3,", 22), 0);
	assert_non_null(strstr(line, "\"processes\":1,"));
	assert_non_null(strstr(line, "\"cpu_percent\":null"));
	assert_non_null(strstr(line, "\"gpus\":[]}"));
}

static void with_an_interval_lines_come_until_the_client_goes(void **state)
{
	struct client *c = get("/stat?interval=100ms");

	(void)state;
	world_wait(&world, has_three_lines);
	assert_false(c->stream->ended);
	assert_non_null(strstr(strchr(buf_str(&c->out), '\n'), "\"cpu_percent\":"));
	assert_null(strstr(strchr(buf_str(&c->out), '\n'), "\"cpu_percent\":null"));
	client_close(c);
}

/* closed() in every state: while the thread reads, while a child is asked, between two looks. */
static void a_client_may_go_at_any_time(void **state)
{
	(void)state;
	put_gpu_program("#!/bin/sh\nexec /bin/sleep 60\n");
	client_close(get("/stat?interval=100ms"));
	client_close(get("/stat"));
	for (int i = 0; i < 20; i++) {
		struct client *c = get("/stat?interval=100ms");

		world_run(&world, (unsigned int)i);
		client_close(c);
	}
}

static void a_client_that_does_not_read_gets_no_backlog(void **state)
{
	struct client *c = get("/stat?interval=100ms");

	(void)state;
	c->pace = 0;
	world_run(&world, 1000);
	assert_true(c->stream->send_max <= H3_SEND_MAX);
}

static void gpus_are_asked_of_their_program(void **state)
{
	struct client *c;

	(void)state;
	put_gpu_program("#!/bin/sh\necho '0, GH200, 97, 10, 20'\necho '1, \"B\", [N/A], 1, 2'\n");
	c = get("/stat");
	world_wait(&world, all_ended);
	assert_non_null(strstr(buf_str(&c->out),
			       "\"gpus\":[{\"index\":0,\"name\":\"GH200\",\"percent\":97,"
			       "\"memory\":10485760,\"memory_max\":20971520},"
			       "{\"index\":1,\"name\":\"\\\"B\\\"\",\"percent\":null,"));
}

static void a_program_that_fails_is_as_if_there_were_no_gpus(void **state)
{
	struct client *c;

	(void)state;
	put_gpu_program("#!/bin/sh\necho '0, GH200, 97, 10, 20'\nexit 9\n");
	c = get("/stat");
	world_wait(&world, all_ended);
	assert_non_null(strstr(buf_str(&c->out), "\"gpus\":[]"));
}

static void intervals_that_make_no_sense_are_refused(void **state)
{
	static const char *const bad[] = {
		"/stat?interval=",     "/stat?interval=x",
		"/stat?interval=99ms", "/stat?interval=2h",
		"/stat?interval=-1s",  "/stat?interval=111111111111111111111111111111111111s"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct client *c = get(bad[i]);

		assert_int_equal(c->stream->status, 400);
		client_close(c);
	}
}

static void a_signal_reaches_the_jobs_command_and_only_one_that_there_is(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		setpgid(0, 0);
		pause();
		_exit(0);
	}
	setpgid(pid, pid);
	assert_int_equal(post("/signal?name=TERM")->stream->status, 404);
	world.env.config.main_pid = pid;
	assert_int_equal(post("/signal?name=NOPE")->stream->status, 400);
	assert_int_equal(post("/signal")->stream->status, 400);
	assert_int_equal(get("/signal?name=TERM")->stream->status, 404);
	assert_int_equal(post("/signal?name=USR1")->stream->status, 200);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
	assert_int_equal(post("/signal?name=TERM")->stream->status, 404);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_line_tells_what_is_used),
		TEST(with_an_interval_lines_come_until_the_client_goes),
		TEST(a_client_may_go_at_any_time),
		TEST(a_client_that_does_not_read_gets_no_backlog),
		TEST(gpus_are_asked_of_their_program),
		TEST(a_program_that_fails_is_as_if_there_were_no_gpus),
		TEST(intervals_that_make_no_sense_are_refused),
		TEST(a_signal_reaches_the_jobs_command_and_only_one_that_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
