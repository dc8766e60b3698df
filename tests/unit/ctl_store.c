/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/store/schema.h"
#include "controller/store/store.h"
#include "init/base/fs.h"
#include "tests/unit/ctl_database.h"

static uint64_t add_to(struct store *store, const char *uid, const char *cluster)
{
	cleanup(job_finish) struct job job = { 0 };

	job_init(&job);
	job_set(&job, uid, uid);
	job_set(&job, cluster, cluster);
	job.state = JOB_QUEUED;
	assert_int_equal(store_add_job(store, &job, NULL), 0);
	return job.id;
}

static void end(struct store *store, uint64_t id)
{
	cleanup(job_finish) struct job job = { 0 };

	assert_int_equal(store_find_by_id(store, id, &job, NULL), 0);
	job.state = JOB_SUCCEEDED;
	assert_int_equal(store_update_job(store, &job, NULL), 0);
}

static void a_record_is_read_back_as_it_was_written(void **state)
{
	cleanup(store_close) struct store *store = database_open();
	cleanup(job_finish) struct job job = { 0 };
	uint64_t id = database_add(store, "u1", "train");
	struct stat st;

	(void)state;
	assert_int_equal(store_find_by_id(store, id, &job, NULL), 0);
	assert_string_equal(job.uid, "u1");
	assert_string_equal(job.command, "echo 'it''s' \xff");
	assert_int_equal(job.state, JOB_DEFINED);
	assert_int_equal(job.exit_code, JOB_NO_EXIT_CODE);
	assert_int_equal(job.tasks, 3);
	assert_int_equal(stat(database.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_name_means_the_newest_job_that_has_it(void **state)
{
	cleanup(store_close) struct store *store = database_open();
	cleanup(job_finish) struct job job = { 0 };
	struct err err;
	uint64_t newest;

	(void)state;
	database_add(store, "u2", "twice");
	newest = database_add(store, "u3", "twice");
	assert_int_equal(store_find_by_name(store, "twice", NULL, &job, NULL), 0);
	assert_int_equal(job.id, newest);
	job_finish(&job);
	assert_int_equal(store_find_by_name(store, "never", NULL, &job, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(err.text, "berth get jobs"));
	assert_int_equal(store_find_by_uid(store, "u2", &job, NULL), 0);
}

static void namesakes_that_have_not_ended_are_counted(void **state)
{
	cleanup(store_close) struct store *store = database_open();
	cleanup(job_finish) struct job job = { 0 };
	uint64_t first = database_add(store, "same-4", "thrice"),
		 second = database_add(store, "same-5", "thrice");
	uint64_t len = 9, id = 9;

	(void)state;
	database_add(store, "same-6", "other");
	database_add(store, "same-7", "thrice");
	assert_int_equal(store_find_by_name(store, "thrice", NULL, &job, NULL), 0);
	assert_int_equal(store_count_namesakes(store, &job, NULL, &len, &id, NULL), 0);
	assert_int_equal(len, 2);
	assert_int_equal(id, second);
	end(store, second);
	assert_int_equal(store_count_namesakes(store, &job, NULL, &len, &id, NULL), 0);
	assert_int_equal(len, 1);
	assert_int_equal(id, first);
	assert_int_equal(store_count_namesakes(store, &job, "hpc", &len, &id, NULL), 0);
	assert_int_equal(len, 0);
	assert_int_equal(store_find_by_name(store, "thrice", "hpc", &job, NULL), -1);
}

static void an_ended_job_stays_as_it_ended(void **state)
{
	cleanup(store_close) struct store *store = database_open();
	cleanup(job_finish) struct job job = { 0 }, later = { 0 };
	uint64_t id = database_add(store, "u4", "");

	(void)state;
	assert_int_equal(store_find_by_id(store, id, &job, NULL), 0);
	job.state = JOB_FAILED;
	job.exit_code = 3;
	assert_int_equal(store_update_job(store, &job, NULL), 0);
	job.state = JOB_RUNNING;
	job.exit_code = JOB_NO_EXIT_CODE;
	assert_int_equal(store_update_job(store, &job, NULL), 0);
	assert_int_equal(store_find_by_id(store, id, &later, NULL), 0);
	assert_int_equal(later.state, JOB_FAILED);
	assert_int_equal(later.exit_code, 3);
}

static void an_update_does_not_undo_the_marks_of_others(void **state)
{
	cleanup(store_close) struct store *store = database_open();
	cleanup(job_finish) struct job job = { 0 }, later = { 0 };
	uint64_t id = database_add(store, "u5", "");

	(void)state;
	assert_int_equal(store_find_by_id(store, id, &job, NULL), 0);
	assert_int_equal(store_mark_cancel_requested(store, id, NULL), 0);
	job.state = JOB_RUNNING;
	assert_int_equal(store_update_job(store, &job, NULL), 0);
	assert_int_equal(store_find_by_id(store, id, &later, NULL), 0);
	assert_true(later.cancel_requested);
	assert_int_equal(later.state, JOB_RUNNING);
}

static void lists_choose_by_state_and_age(void **state)
{
	cleanup(store_close) struct store *store = database_open();
	cleanup(job_list_finish) struct job_list all = { 0 }, open = { 0 }, old = { 0 };
	cleanup(job_finish) struct job job = { 0 };
	uint64_t id = database_add(store, "u6", "");

	(void)state;
	assert_int_equal(store_find_by_id(store, id, &job, NULL), 0);
	job.state = JOB_SUCCEEDED;
	job.ended_ns = 1000;
	assert_int_equal(store_update_job(store, &job, NULL), 0);
	assert_int_equal(store_list(store, STORE_ALL, 0, &all, NULL), 0);
	assert_int_equal(store_list(store, STORE_OPEN, 0, &open, NULL), 0);
	assert_true(all.len > open.len);
	for (size_t i = 0; i < open.len; i++)
		assert_false(job_state_is_ended(open.items[i].state));
	assert_int_equal(store_list(store, STORE_COLLECTABLE, 1001, &old, NULL), 0);
	assert_int_equal(old.items[old.len - 1].id, id);
	job_list_finish(&old);
	assert_int_equal(store_mark_collected(store, id, NULL), 0);
	assert_int_equal(store_list(store, STORE_COLLECTABLE, 1001, &old, NULL), 0);
	for (size_t i = 0; i < old.len; i++)
		assert_int_not_equal(old.items[i].id, id);
}

static void the_states_that_count_as_ended_are_those_of_the_model(void **state)
{
	(void)state;
#define X(name, ended) assert_int_equal(strstr(SCHEMA_ENDED, "'" #name "'") != NULL, ended);
	JOB_STATES(X)
#undef X
}

static void a_number_is_not_used_again(void **state)
{
	cleanup(store_close) struct store *store = database_open();
	uint64_t first = database_add(store, "u7", "");

	(void)state;
	assert_int_equal(store_delete_job(store, first, NULL), 0);
	assert_true(database_add(store, "u8", "") > first);
}

static void notes_are_kept_and_replaced(void **state)
{
	cleanup(store_close) struct store *store = database_open();
	cleanup_free char *before = NULL, *after = NULL;

	(void)state;
	assert_int_equal(store_get_note(store, "k", &before, NULL), 0);
	assert_null(before);
	assert_int_equal(store_put_note(store, "k", "1", NULL), 0);
	assert_int_equal(store_put_note(store, "k", "2", NULL), 0);
	assert_int_equal(store_get_note(store, "k", &after, NULL), 0);
	assert_string_equal(after, "2");
}

#define WRITERS 8
#define WRITES 25

/* With its log, which stays beside it, and is not to be taken for that of the next one. */
static void remove_database(void)
{
	static const char *const suffixes[] = { "", "-wal", "-shm" };

	database_await_children();
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		cleanup_free char *file = str_printf("%s%s", database.path, suffixes[i]);

		unlink(file);
	}
}

/* In a child: opens the same file as the others and records jobs. */
static void record_many(int writer)
{
	struct store *store = NULL;
	struct err err = { 0 };

	if (store_open(database.path, &store, &err) < 0) {
		print_error("%s\n", err.text);
		_exit(1);
	}
	for (int i = 0; i < WRITES; i++) {
		struct job job;

		job_init(&job);
		free(job.uid);
		job.uid = str_printf("w%d-%d", writer, i);
		if (store_add_job(store, &job, &err) < 0) {
			print_error("%s\n", err.text);
			_exit(2);
		}
		job_finish(&job);
	}
	store_close(store);
	_exit(0);
}

static void processes_that_write_at_once_lose_nothing(void **state)
{
	cleanup(job_list_finish) struct job_list all = { 0 };
	cleanup(store_close) struct store *store = NULL;
	size_t found = 0;
	pid_t pids[WRITERS];
	int status;

	(void)state;
	remove_database(); /* the first to come makes the tables, and all come first */
	for (int i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			record_many(i);
	}
	for (int i = 0; i < WRITERS; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	store = database_open();
	assert_int_equal(store_list(store, STORE_ALL, 0, &all, NULL), 0);
	for (size_t i = 0; i < all.len; i++)
		found += all.items[i].uid[0] == 'w';
	assert_int_equal(found, WRITERS * WRITES);
}

static void what_is_read_together_is_of_one_moment(void **state)
{
	cleanup(store_close) struct store *store = NULL, *other = NULL;
	cleanup(job_list_finish) struct job_list before = { 0 }, after = { 0 };
	cleanup_free char *none = NULL, *busy = NULL, *still = NULL;

	(void)state;
	remove_database();
	store = database_open();
	other = database_open();
	assert_int_equal(store_find_busy_cluster(store, &none, NULL), 0);
	assert_null(none);
	end(store, add_to(store, "u1", "first"));
	add_to(store, "u2", "second");
	end(store, add_to(store, "u3", "third"));
	database_add(store, "u0", "not handed over");
	assert_int_equal(store_begin_reading(store, NULL), 0);
	assert_int_equal(store_find_busy_cluster(store, &busy, NULL), 0);
	assert_string_equal(busy, "second");
	add_to(other, "u4", "fourth");
	assert_int_equal(store_find_busy_cluster(store, &still, NULL), 0);
	assert_string_equal(still, "second");
	assert_int_equal(store_list(store, STORE_ALL, 0, &before, NULL), 0);
	assert_int_equal(before.len, 4);
	assert_int_equal(store_end_reading(store, NULL), 0);
	assert_int_equal(store_list(store, STORE_ALL, 0, &after, NULL), 0);
	assert_int_equal(after.len, 5);
}

static void a_file_that_is_no_database_is_refused_and_kept(void **state)
{
	cleanup_free char *other = fs_join(database.dir, "other.db");
	cleanup(buf_finish) struct buf kept = BUF_INIT(100);
	struct store *store;
	struct err err;

	(void)state;
	assert_int_equal(
		fs_write_file(other, span_of_str("this is no database, is it?"), 0600, NULL), 0);
	assert_int_equal(store_open(other, &store, &err), -1);
	assert_int_equal(err.kind, ERR_SYSTEM);
	assert_non_null(strstr(err.text, "move it away"));
	assert_int_equal(fs_read_file(other, 100, &kept, NULL), 0);
	assert_string_equal(buf_str(&kept), "this is no database, is it?");
}

static void a_database_of_the_first_berth_keeps_its_jobs(void **state)
{
	cleanup_free char *older = fs_join(database.dir, "older.db");
	cleanup(store_close) struct store *store = NULL;
	cleanup(job_finish) struct job job = { 0 };
	sqlite3 *db;

	(void)state;
	assert_int_equal(sqlite3_open(older, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, schema_migrations[0], NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "INSERT INTO jobs VALUES (7, 'u', 'n', 'local', '', '/d', "
				      "'true', 'RUNNING', '', '', -1, 0, 1, 2, 0, 3, 1, 1, 0, 0)",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(store_open(older, &store, NULL), 0);
	assert_int_equal(store_find_by_id(store, 7, &job, NULL), 0);
	assert_int_equal(job.state, JOB_RUNNING);
	assert_string_equal(job.queue, "");
	assert_string_equal(job.node_list, "");
	assert_int_equal(job.attempts, 0);
	job_set(&job, queue, "debug");
	job_set(&job, node_list, "n[1-3]");
	job.attempts = 2;
	assert_int_equal(store_update_job(store, &job, NULL), 0);
	job_finish(&job);
	assert_int_equal(store_find_by_id(store, 7, &job, NULL), 0);
	assert_string_equal(job.queue, "debug");
	assert_string_equal(job.node_list, "n[1-3]");
	assert_int_equal(job.attempts, 2);
}

static void an_array_of_an_older_berth_has_one_rank_for_each_task(void **state)
{
	cleanup_free char *older = fs_join(database.dir, "arrays.db");
	cleanup(store_close) struct store *store = NULL;
	cleanup(job_finish) struct job job = { 0 };
	sqlite3 *db;

	(void)state;
	assert_int_equal(sqlite3_open(older, &db), SQLITE_OK);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(sqlite3_exec(db, schema_migrations[i], NULL, NULL, NULL),
				 SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "INSERT INTO jobs VALUES (7, 'u', 'n', 'local', '', '/d', "
				      "'true', 'RUNNING', '', '', -1, 0, 1, 2, 0, 3, 1, 10, 0, 0, "
				      "'', '', '', 0, 'local', '0-9', '', 0, '')",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(store_open(older, &store, NULL), 0);
	assert_int_equal(store_find_by_id(store, 7, &job, NULL), 0);
	assert_int_equal(job.tasks, 1);
	assert_int_equal(job_count_ranks(&job), 10);
}

static void a_database_of_a_newer_berth_is_refused(void **state)
{
	cleanup_free char *newer = fs_join(database.dir, "newer.db");
	struct store *store;
	struct err err;
	sqlite3 *db;

	(void)state;
	assert_int_equal(sqlite3_open(newer, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(store_open(newer, &store, &err), -1);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
	assert_non_null(strstr(err.text, "newer berth"));
}

static void a_directory_that_is_missing_is_named(void **state)
{
	struct store *store;
	struct err err;

	(void)state;
	assert_int_equal(store_open("/nonexistent/berth.db", &store, &err), -1);
	assert_int_equal(err.kind, ERR_DENIED);
	assert_non_null(strstr(err.text, "/nonexistent/berth.db"));
}

static void a_store_is_opened_by_the_first_question(void **state)
{
	cleanup(store_close) struct store *nowhere = store_new("/nonexistent/berth.db");
	cleanup(store_close) struct store *store = store_new(database.path);
	cleanup_free char *note = NULL;
	struct err err;

	(void)state;
	unlink(database.path);
	assert_int_equal(store_put_note(nowhere, "a", "b", &err), -1);
	assert_int_equal(err.kind, ERR_DENIED);
	assert_int_equal(store_begin(nowhere, &err), -1);
	assert_int_equal(access(database.path, F_OK), -1);
	assert_int_equal(store_get_note(store, "a", &note, NULL), 0);
	assert_null(note);
	assert_int_equal(access(database.path, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_read_back_as_it_was_written),
		cmocka_unit_test(a_name_means_the_newest_job_that_has_it),
		cmocka_unit_test(namesakes_that_have_not_ended_are_counted),
		cmocka_unit_test(an_ended_job_stays_as_it_ended),
		cmocka_unit_test(an_update_does_not_undo_the_marks_of_others),
		cmocka_unit_test(lists_choose_by_state_and_age),
		cmocka_unit_test(the_states_that_count_as_ended_are_those_of_the_model),
		cmocka_unit_test(a_number_is_not_used_again),
		cmocka_unit_test(notes_are_kept_and_replaced),
		cmocka_unit_test(processes_that_write_at_once_lose_nothing),
		cmocka_unit_test(what_is_read_together_is_of_one_moment),
		cmocka_unit_test(a_file_that_is_no_database_is_refused_and_kept),
		cmocka_unit_test(a_database_of_the_first_berth_keeps_its_jobs),
		cmocka_unit_test(an_array_of_an_older_berth_has_one_rank_for_each_task),
		cmocka_unit_test(a_database_of_a_newer_berth_is_refused),
		cmocka_unit_test(a_directory_that_is_missing_is_named),
		cmocka_unit_test(a_store_is_opened_by_the_first_question),
	};

	return cmocka_run_group_tests(tests, database_set_up, database_tear_down);
}
