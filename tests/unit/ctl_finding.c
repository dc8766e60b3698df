/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/model/finding.h"
#include "controller/model/json.h"
#include "controller/output/findings.h"
#include "controller/store/schema.h"
#include "controller/store/store.h"
#include "init/base/fs.h"

static void a_finding_survives_being_told_to_another_process(void **state)
{
	cleanup(finding_list_finish) struct finding_list list = { 0 }, copy = { 0 };
	cleanup(json_release) json_t *object = NULL;
	struct finding *finding = finding_list_add(&list, "login", "hpc");

	(void)state;
	finding_say(finding, FINDING_WARNING, "%s \"quoted\"\n", "text");
	finding->took_ms = 17;
	object = finding_json(finding);
	assert_int_equal(finding_list_parse(&copy, object, NULL), 0);
	assert_int_equal(copy.len, 1);
	assert_string_equal(copy.items[0].check, "login");
	assert_string_equal(copy.items[0].target, "hpc");
	assert_string_equal(copy.items[0].text, "text \"quoted\"\n");
	assert_int_equal(copy.items[0].level, FINDING_WARNING);
	assert_int_equal(copy.items[0].took_ms, 17);
}

static void what_is_no_finding_is_refused(void **state)
{
	static const char *const wrong[] = {
		"{}",
		"{\"check\": \"a\", \"target\": \"b\", \"text\": \"c\"}",
		"{\"check\": \"a\", \"target\": \"b\", \"text\": \"c\", \"level\": \"bad\"}",
		"{\"check\": 1, \"target\": \"b\", \"text\": \"c\", \"level\": \"ok\"}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		cleanup(finding_list_finish) struct finding_list list = { 0 };
		cleanup(json_release) json_t *object = NULL;

		assert_int_equal(json_parse(span_of_str(wrong[i]), 1024, &object, NULL), 0);
		assert_int_equal(finding_list_parse(&list, object, NULL), -1);
		assert_int_equal(list.len, 0);
	}
}

static void a_time_that_is_none_is_left_out(void **state)
{
	static const char *const times[] = { "null", "-1", "1e300", "\"x\"" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		cleanup(finding_list_finish) struct finding_list list = { 0 };
		cleanup(json_release) json_t *object = NULL;
		char text[200];

		snprintf(text, sizeof(text),
			 "{\"check\": \"a\", \"target\": \"\", \"text\": \"\", \"level\": \"ok\", "
			 "\"took_ms\": %s}",
			 times[i]);
		assert_int_equal(json_parse(span_of_str(text), 1024, &object, NULL), 0);
		assert_int_equal(finding_list_parse(&list, object, NULL), 0);
		assert_int_equal(list.items[0].took_ms, -1);
	}
}

static void the_worst_finding_counts_and_the_list_has_an_end(void **state)
{
	cleanup(finding_list_finish) struct finding_list list = { 0 };

	(void)state;
	assert_int_equal(finding_list_worst(&list), FINDING_OK);
	for (size_t i = 0; i < FINDING_LIST_MAX + 5; i++)
		finding_say(finding_list_add(&list, "a", ""), i == 3 ? FINDING_FAILURE : FINDING_OK,
			    "%zu", i);
	assert_int_equal(list.len, FINDING_LIST_MAX);
	assert_int_equal(finding_list_worst(&list), FINDING_FAILURE);
}

static void a_line_is_harmless_and_whole(void **state)
{
	cleanup(finding_list_finish) struct finding_list list = { 0 };
	struct output output = { .width = 40 };
	char text[1024] = "";

	(void)state;
	finding_say(finding_list_add(&list, "udp", ""), FINDING_NOTE, "\033[2J%0200d", 1);
	output.out = fmemopen(text, sizeof(text), "w");
	assert_int_equal(output_findings(&list, &output, NULL), 0);
	fclose(output.out);
	assert_null(strchr(text, '\033'));
	assert_non_null(strstr(text, "0001\n"));
	assert_int_equal(strncmp(text, "note     udp", 12), 0);
}

static void a_database_is_looked_at_and_left_alone(void **state)
{
	char dir[] = "/tmp/berth-finding-XXXXXX", path[64];
	struct store *store = NULL;
	uint64_t jobs = 7;
	sqlite3 *db;
	struct err err;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/berth.db", dir);
	assert_int_equal(store_check(path, &jobs, &err), -1);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(store_open(path, &store, &err), 0);
	assert_int_equal(store_check(path, &jobs, &err), 0);
	assert_int_equal(jobs, 0);
	store_close(store);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 1000", NULL, NULL, NULL), 0);
	sqlite3_close(db);
	assert_int_equal(store_check(path, &jobs, &err), -1);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
	assert_int_equal(fs_write_file(path, span_of_str("this is no database at all, but text"),
				       0600, &err),
			 0);
	assert_int_equal(store_check(path, &jobs, &err), -1);
	assert_non_null(strstr(err.text, "damaged"));
	assert_int_equal(fs_remove_tree(dir, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_finding_survives_being_told_to_another_process),
		cmocka_unit_test(what_is_no_finding_is_refused),
		cmocka_unit_test(a_time_that_is_none_is_left_out),
		cmocka_unit_test(the_worst_finding_counts_and_the_list_has_an_end),
		cmocka_unit_test(a_line_is_harmless_and_whole),
		cmocka_unit_test(a_database_is_looked_at_and_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
