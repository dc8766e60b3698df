/* SPDX-License-Identifier: MIT */
/* The write-ahead log of the store: who waits for what is done to it. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/store/store.h"
#include "init/base/fs.h"

static char dir[64], path[80];

static void await_children(void)
{
	while (wait(NULL) > 0)
		;
}

static int set_up(void **state)
{
	(void)state;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	snprintf(dir, sizeof(dir), "/tmp/berth-store-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/berth.db", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	await_children();
	return fs_remove_tree(dir, NULL);
}

static struct store *open_store(void)
{
	struct store *store = NULL;
	struct err err;

	if (store_open(path, &store, &err) < 0)
		fail_msg("%s", err.text);
	return store;
}

static uint64_t add(struct store *store, const char *uid, const char *name)
{
	cleanup(job_finish) struct job job = { 0 };

	job_init(&job);
	job_set(&job, uid, uid);
	job_set(&job, name, name);
	assert_int_equal(store_add_job(store, &job, NULL), 0);
	return job.id;
}

static bool has_log(void)
{
	char log[sizeof(path) + 8];

	snprintf(log, sizeof(log), "%s-wal", path);
	return access(log, F_OK) == 0;
}

static void the_log_stays_and_holds_what_was_written(void **state)
{
	struct store *store = open_store();
	uint64_t id = add(store, "logged", "train");

	(void)state;
	store_close(store);
	for (int i = 0; i < 2; i++) {
		cleanup(job_finish) struct job job = { 0 };

		assert_true(has_log());
		store = open_store();
		assert_int_equal(store_find_by_id(store, id, &job, NULL), 0);
		assert_string_equal(job.name, "train");
		store_close(store);
	}
}

static void a_long_log_is_put_into_place_when_nobody_waits(void **state)
{
	cleanup_free char *log = str_printf("%s-wal", path);
	cleanup(job_list_finish) struct job_list all = { 0 };
	struct store *store;
	struct stat st;

	(void)state;
	store = open_store();
	for (int i = 0; i < 100; i++) {
		char uid[16];

		snprintf(uid, sizeof(uid), "u%d", i);
		add(store, uid, "");
	}
	assert_int_equal(stat(log, &st), 0);
	assert_true(st.st_size > 0);
	store_close(store);
	await_children();
	assert_int_equal(stat(log, &st), 0);
	assert_int_equal(st.st_size, 0);
	store = open_store();
	assert_int_equal(store_list(store, STORE_ALL, 0, &all, NULL), 0);
	assert_int_equal(all.len, 100);
	store_close(store);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_log_stays_and_holds_what_was_written),
		TEST(a_long_log_is_put_into_place_when_nobody_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
