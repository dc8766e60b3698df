/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/fs.h"
#include "tunnel/net/log_watch.h"

#define PATIENCE_S 60

static char dir[] = "/tmp/berth-logs-XXXXXX";

struct world {
	struct log_watch watch;
	uv_loop_t loop;
	uv_timer_t other; /* the watch alone keeps no loop alive */
};

static void on_other(uv_timer_t *timer)
{
	(void)timer;
}

static void append(const char *name, const char *text)
{
	cleanup_free char *path = fs_join(dir, name);
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static int set_up(void **state)
{
	struct world *w = new_zero(struct world);

	memset(dir + sizeof(dir) - 7, 'X', 6);
	if (!mkdtemp(dir))
		return -1;
	uv_loop_init(&w->loop);
	uv_timer_init(&w->loop, &w->other);
	uv_timer_start(&w->other, on_other, 100, 100);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	log_watch_close(&w->watch);
	uv_close((uv_handle_t *)&w->other, NULL);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	log_watch_finish(&w->watch);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	free(w);
	return fs_remove_tree(dir, NULL);
}

/* The size that was noted last; 0: none. */
static uint64_t noted(const char *name)
{
	cleanup_free char *path = fs_join(dir, name);
	cleanup(buf_finish) struct buf text = BUF_INIT(LOG_TIMES_TEXT_MAX);
	struct log_times times;

	if (fs_read_file(path, LOG_TIMES_TEXT_MAX, &text, NULL) < 0)
		return 0;
	assert_int_equal(log_times_parse(buf_span(&text), &times, NULL), 0);
	return log_times_offset(&times, UINT64_MAX);
}

static void run_until(struct world *w, const char *name, uint64_t size)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	time_t limit = time(NULL) + PATIENCE_S;

	while (noted(name) != size) {
		assert_true(time(NULL) < limit);
		uv_run(&w->loop, UV_RUN_NOWAIT);
		nanosleep(&pause, NULL);
	}
}

static void growth_is_noted_beside_each_log(void **state)
{
	struct world *w = *state;

	append("stdout", "one\n");
	append("stderr.0", "three\n");
	log_watch_open(&w->watch, &w->loop, dir, 0, 0);
	run_until(w, "stdout.times", 4);
	run_until(w, "stderr.0.times", 6);
	append("stdout", "two\n");
	run_until(w, "stdout.times", 8);
	assert_int_equal(noted("stderr.times"), 0);
}

static void a_log_that_comes_later_is_found(void **state)
{
	struct world *w = *state;
	cleanup_free char *link = fs_join(dir, "stdout.3");

	log_watch_open(&w->watch, &w->loop, dir, 3, 0);
	append("elsewhere", "four\n");
	assert_int_equal(symlink("elsewhere", link), 0);
	run_until(w, "stdout.3.times", 5);
	append("elsewhere", "five\n");
	run_until(w, "stdout.3.times", 10);
	/* What is printed for all of the job is the first rank's to watch. */
	append("stdout", "x");
	append("elsewhere", "six\n");
	run_until(w, "stdout.3.times", 14);
	assert_int_equal(noted("stdout.times"), 0);
}

static void logs_of_a_task_of_an_array_have_its_index(void **state)
{
	struct world *w = *state;

	append("stdout.7", "srun\n");
	append("stdout.7.0", "one\n");
	append("stdout.28", "two");
	log_watch_open(&w->watch, &w->loop, dir, 28, 4);
	run_until(w, "stdout.7.times", 5);
	run_until(w, "stdout.7.0.times", 4);
	assert_int_equal(noted("stdout.28.times"), 0);
}

static void notes_of_the_tunnel_before_are_kept(void **state)
{
	struct world *w = *state;
	cleanup_free char *path = fs_join(dir, "stdout.times");
	cleanup(buf_finish) struct buf text = BUF_INIT(LOG_TIMES_TEXT_MAX);

	append("stdout", "one\ntwo\n");
	append("stdout.times", "1000 2\n1001 4\n");
	log_watch_open(&w->watch, &w->loop, dir, 0, 0);
	run_until(w, "stdout.times", 8);
	assert_int_equal(fs_read_file(path, LOG_TIMES_TEXT_MAX, &text, NULL), 0);
	assert_int_equal(strncmp(buf_str(&text), "1000 2\n1001 4\n", 14), 0);
}

static void a_log_that_is_begun_anew_loses_its_notes(void **state)
{
	struct world *w = *state;
	cleanup_free char *path = fs_join(dir, "stdout");

	append("stdout", "a long line\n");
	log_watch_open(&w->watch, &w->loop, dir, 0, 0);
	run_until(w, "stdout.times", 12);
	assert_int_equal(truncate(path, 0), 0);
	append("stdout", "short\n");
	run_until(w, "stdout.times", 6);
}

int main(void)
{
#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_LOOP(growth_is_noted_beside_each_log),
		WITH_LOOP(a_log_that_comes_later_is_found),
		WITH_LOOP(logs_of_a_task_of_an_array_have_its_index),
		WITH_LOOP(notes_of_the_tunnel_before_are_kept),
		WITH_LOOP(a_log_that_is_begun_anew_loses_its_notes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
