/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "tunnel/net/job_file.h"
#include "tunnel/net/job_watch.h"

static char dir[] = "/tmp/berth-watch-XXXXXX";

struct world {
	struct job_watch watch;
	uv_loop_t loop;
	char *path;
	unsigned int changes;
	uint64_t looked;
};

static const struct key_set first = { .keys = { { { 1 } } }, .len = 1 };
static const struct key_set second = { .keys = { { { 1 } }, { { 2 } } }, .len = 2 };

static void write_peers(const struct world *w, const struct key_set *peers)
{
	struct job_file file = { .peers_len = 1, .idle_timeout_s = 60, .connections = 1 };
	cleanup(buf_finish) struct buf text = BUF_INIT(4096);

	file.peers[0].key = peers->keys[0];
	file.peers[0].next = peers->keys[1];
	file.peers[0].has_next = peers->len > 1;
	assert_true(job_file_format(&file, &text));
	assert_int_equal(fs_write_file(w->path, buf_span(&text), 0600, NULL), 0);
}

static void on_changed(struct job_watch *watch, const struct key_set *peers)
{
	struct world *w = container_of(watch, struct world, watch);

	(void)peers;
	w->changes++;
}

static void on_looked(struct job_watch *watch, uint64_t serial)
{
	struct world *w = container_of(watch, struct world, watch);

	assert_true(serial >= w->looked);
	w->looked = serial;
}

static const struct job_watch_ops ops = { on_changed, on_looked };

static int set_up(void **state)
{
	struct world *w = new_zero(struct world);

	memset(dir + sizeof(dir) - 7, 'X', 6);
	if (!mkdtemp(dir))
		return -1;
	w->path = fs_join(dir, "tunnel.json");
	uv_loop_init(&w->loop);
	write_peers(w, &first);
	job_watch_open(&w->watch, &w->loop, w->path, &first, &ops);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	/* Nobody may hang in a FIFO that a failed test left behind. */
	int fd = open(w->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	job_watch_close(&w->watch);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	if (fd >= 0)
		close(fd);
	free(w->path);
	free(w);
	return fs_remove_tree(dir, NULL);
}

static void run_until(struct world *w, uint64_t serial)
{
	while (w->looked < serial)
		uv_run(&w->loop, UV_RUN_ONCE);
}

static void what_was_written_before_a_look_is_known_after_it(void **state)
{
	struct world *w = *state;
	uint64_t serial;

	run_until(w, job_watch_look(&w->watch));
	assert_int_equal(w->changes, 0);
	for (unsigned int round = 1; round <= 10; round++) {
		write_peers(w, round % 2 ? &second : &first);
		serial = job_watch_look(&w->watch);
		assert_true(serial > 0);
		run_until(w, serial);
		assert_int_equal(w->changes, round);
	}
}

static void a_question_during_a_look_waits_for_the_next_look(void **state)
{
	struct world *w = *state;
	uint64_t one = job_watch_look(&w->watch), two;

	write_peers(w, &second);
	two = job_watch_look(&w->watch);
	assert_int_equal(two, one + 1);
	assert_int_equal(job_watch_look(&w->watch), two);
	run_until(w, two);
	assert_int_equal(w->changes, 1);
}

static void a_file_that_is_broken_or_gone_changes_nothing(void **state)
{
	struct world *w = *state;

	assert_int_equal(fs_write_file(w->path, span_of_str("{"), 0600, NULL), 0);
	run_until(w, job_watch_look(&w->watch));
	assert_int_equal(unlink(w->path), 0);
	run_until(w, job_watch_look(&w->watch));
	assert_int_equal(w->changes, 0);
}

/* A FIFO that nobody writes to holds open(2) up, as a dead file server does. */
static void a_file_system_that_hangs_is_waited_for_once_and_not_for_long(void **state)
{
	struct world *w = *state;
	uint64_t before;
	int fd;

	uv_update_time(&w->loop);
	before = uv_hrtime();
	assert_int_equal(unlink(w->path), 0);
	assert_int_equal(mkfifo(w->path, 0600), 0);
	run_until(w, job_watch_look(&w->watch));
	assert_true(uv_hrtime() - before >= (JOB_WATCH_PATIENCE_MS - 1) * NSEC_PER_MSEC);
	assert_true(w->watch.reading);
	/* It is known to hang: nobody waits, and there is no second thread. */
	assert_int_equal(job_watch_look(&w->watch), 0);
	assert_int_equal(w->changes, 0);
	/* It answers again. */
	fd = open(w->path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	write_peers(w, &second);
	while (w->watch.reading)
		uv_run(&w->loop, UV_RUN_ONCE);
	close(fd);
	run_until(w, job_watch_look(&w->watch));
	assert_int_equal(w->changes, 1);
}

static void strangers_make_it_look_but_not_often(void **state)
{
	struct world *w = *state;
	uint64_t begun;

	write_peers(w, &second);
	job_watch_stranger(&w->watch);
	begun = w->watch.begun;
	/* Before the loop looks at the clock again: a slow machine's pauses are as long as ours. */
	for (int i = 0; i < 1000; i++)
		job_watch_stranger(&w->watch);
	assert_int_equal(w->watch.begun, begun);
	run_until(w, 1);
	assert_int_equal(w->changes, 1);
	while (uv_now(&w->loop) < w->watch.strangers_at)
		uv_run(&w->loop, UV_RUN_ONCE);
	job_watch_stranger(&w->watch);
	assert_int_equal(w->watch.begun, begun + 1);
}

int main(void)
{
#define WATCH_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WATCH_TEST(what_was_written_before_a_look_is_known_after_it),
		WATCH_TEST(a_question_during_a_look_waits_for_the_next_look),
		WATCH_TEST(a_file_that_is_broken_or_gone_changes_nothing),
		WATCH_TEST(a_file_system_that_hangs_is_waited_for_once_and_not_for_long),
		WATCH_TEST(strangers_make_it_look_but_not_often),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
