/* SPDX-License-Identifier: MIT */
/* The write-ahead log of the store: who waits for what is done to it. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "tests/unit/ctl_database.h"

static bool has_log(void)
{
	char log[sizeof(database.path) + 8];

	snprintf(log, sizeof(log), "%s-wal", database.path);
	return access(log, F_OK) == 0;
}

static void the_log_stays_and_holds_what_was_written(void **state)
{
	struct store *store = database_open();
	uint64_t id = database_add(store, "logged", "train");

	(void)state;
	store_close(store);
	for (int i = 0; i < 2; i++) {
		cleanup(job_finish) struct job job = { 0 };

		assert_true(has_log());
		store = database_open();
		assert_int_equal(store_find_by_id(store, id, &job, NULL), 0);
		assert_string_equal(job.name, "train");
		store_close(store);
	}
}

static void a_long_log_is_put_into_place_when_nobody_waits(void **state)
{
	cleanup_free char *log = str_printf("%s-wal", database.path);
	cleanup(job_list_finish) struct job_list all = { 0 };
	struct store *store;
	struct stat st;

	(void)state;
	store = database_open();
	for (int i = 0; i < 100; i++) {
		char uid[16];

		snprintf(uid, sizeof(uid), "u%d", i);
		database_add(store, uid, "");
	}
	assert_int_equal(stat(log, &st), 0);
	assert_true(st.st_size > 0);
	store_close(store);
	database_await_children();
	assert_int_equal(stat(log, &st), 0);
	assert_int_equal(st.st_size, 0);
	store = database_open();
	assert_int_equal(store_list(store, STORE_ALL, 0, &all, NULL), 0);
	assert_int_equal(all.len, 100);
	store_close(store);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, database_set_up, database_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_log_stays_and_holds_what_was_written),
		TEST(a_long_log_is_put_into_place_when_nobody_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
