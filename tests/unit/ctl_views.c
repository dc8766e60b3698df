/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/model/job_sort.h"
#include "controller/model/json.h"
#include "controller/output/progress.h"
#include "controller/output/table.h"
#include "controller/output/value.h"

static void add(struct job_list *list, const char *name, enum job_state state, uint64_t started_ns)
{
	struct job job;

	job_init(&job);
	job.id = list->len + 1;
	job.state = state;
	job.started_ns = started_ns;
	job_set(&job, name, name);
	job_list_take(list, &job);
}

/* The numbers of the jobs in the order of these keys, as a decimal number. */
static int sorted(const char *keys)
{
	cleanup(job_list_finish) struct job_list list = { 0 };
	int result = 0;

	add(&list, "b", JOB_RUNNING, 20);
	add(&list, "a", JOB_QUEUED, 0);
	add(&list, "c", JOB_RUNNING, UINT64_MAX);
	add(&list, "a", JOB_FAILED, 10);
	if (job_list_sort(&list, keys, NULL) < 0)
		return -1;
	for (size_t i = 0; i < list.len; i++)
		result = result * 10 + (int)list.items[i].id;
	return result;
}

static void jobs_are_sorted_by_several_keys_in_either_direction(void **state)
{
	(void)state;
	assert_int_equal(sorted("id"), 1234);
	assert_int_equal(sorted("-id"), 4321);
	assert_int_equal(sorted("name"), 2413);
	assert_int_equal(sorted("name,-id"), 4213);
	assert_int_equal(sorted("state,-started"), 2314);
	assert_int_equal(sorted("-started"), 3142);
	assert_int_equal(sorted("queue"), 1234); /* equal in all: by number */
}

static void a_key_that_there_is_not_is_refused_with_those_that_there_are(void **state)
{
	struct job_list none = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(job_list_sort(&none, "name,size", &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.text, "'size' is not one of id, name, state"));
	assert_int_equal(sorted(""), -1);
	assert_int_equal(sorted("name,"), -1);
	assert_int_equal(sorted("-"), -1);
	assert_int_equal(sorted("id,id,id,id,id,id,id,id,id"), -1);
}

static const struct column columns[] = {
	{ "ID" },
	{ "NAME", .may_be_cut = true },
	{ "STATE", .is_state = true },
	{ "WHY", .wide_only = true },
	{ "COMMAND", .may_be_cut = true },
};

/* The table of one row as printed; free() it. */
static char *printed(struct output output, const char *name, const char *command)
{
	cleanup(table_finish) struct table table = { 0 };
	char *text = NULL;
	size_t len;

	table_init(&table, columns, ARRAY_LEN(columns), &output);
	table_add(&table, "%d", 1);
	table_add(&table, "%s", name);
	table_add(&table, "RUNNING");
	table_add(&table, "%s", "");
	table_add(&table, "%s", command);
	output.out = open_memstream(&text, &len);
	table_print(&table, &output);
	fclose(output.out);
	return text;
}

static void columns_are_as_wide_as_what_is_in_them(void **state)
{
	cleanup_free char *text = printed((struct output){ 0 }, "\xc3\xa9t\xc3\xa9", "true");

	(void)state;
	assert_string_equal(text, "ID  NAME  STATE    COMMAND\n"
				  "1   \xc3\xa9t\xc3\xa9   RUNNING  true\n");
}

static void what_the_line_has_no_room_for_is_cut_from_the_end(void **state)
{
	struct output output = { .width = 40, .no_headers = true };
	cleanup_free char *text = printed(output, "a-long-name", "python train.py --all");
	cleanup_free char *narrow = NULL;

	(void)state;
	assert_string_equal(text, "1  a-long-name  RUNNING  python train...\n");
	output.width = 10; /* no narrower than this */
	narrow = printed(output, "a-long-name", "python train.py --all");
	assert_string_equal(narrow, "1  a-long..  RUNNING  python..\n");
}

static void only_a_state_has_a_colour_and_only_when_asked_for(void **state)
{
	cleanup_free char *text =
		printed((struct output){ .colour = true, .no_headers = true }, "RUNNING", "x");

	(void)state;
	assert_string_equal(text, "1  RUNNING  \033[32mRUNNING\033[0m  x\n");
}

static void nothing_reaches_a_terminal_that_it_would_act_on(void **state)
{
	static const struct {
		const char *text, *safe;
	} cases[] = {
		{ "\033]0;title\007", "?]0;title?" },
		{ "a\r\n\tb\x7f", "a???b?" },
		{ "\xc2\x9b"
		  "31m",
		  "?31m" },
		{ "\xff\xc3", "??" },
		{ "\xe2\x80\xae"
		  "exe",
		  "?exe" },
		{ "\xe2\x80\x8b", "?" },
		{ "\xe2\x81\xa7", "?" },
		{ "\xe2\x82\xac \xc3\xa9", "\xe2\x82\xac \xc3\xa9" },
		{ "\xe2", "?" },
		{ "\xe2\x80", "??" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_free char *text = str_dup(cases[i].text);

		table_make_safe(text);
		assert_string_equal(text, cases[i].safe);
	}
}

/* A list of one object with this member, printed; free() it. */
static char *value_of(enum output_format format, json_t *member)
{
	cleanup(json_release) json_t *array = json_pack("[{s:i,s:o}]", "n", 1, "v", member);
	struct output output = { .format = format };
	char *text = NULL;
	size_t len;

	output.out = open_memstream(&text, &len);
	value_print(array, &output);
	fclose(output.out);
	return text;
}

static void csv_quotes_what_would_be_read_otherwise(void **state)
{
	static const struct {
		const char *text, *field;
	} cases[] = {
		{ "plain text", "plain text" },
		{ "a,b", "\"a,b\"" },
		{ "say \"x\"", "\"say \"\"x\"\"\"" },
		{ "two\nlines\033[m", "\"two\nlines?[m\"" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_free char *text = value_of(OUTPUT_CSV, json_string(cases[i].text));
		cleanup_free char *expected = str_printf("n,v\n1,%s\n", cases[i].field);

		assert_string_equal(text, expected);
	}
}

static void csv_of_nothing_has_its_titles_all_the_same(void **state)
{
	cleanup(json_release) json_t *array = json_array();
	struct output output = { .format = OUTPUT_CSV, .list = "queues" };
	cleanup_free char *text = NULL;
	size_t len;

	(void)state;
	output.out = open_memstream(&text, &len);
	value_print(array, &output);
	fclose(output.out);
	assert_string_equal(text,
			    "name,state,nodes,nodes_idle,cpus,cpus_used,time_limit,node_list\n");
}

static void yaml_cannot_be_taken_for_another_type(void **state)
{
	cleanup_free char *no = value_of(OUTPUT_YAML, json_string("no"));
	cleanup_free char *escape = value_of(OUTPUT_YAML, json_string("\xc2\x9b:\n"));
	cleanup_free char *nested = value_of(OUTPUT_YAML, json_pack("[i,{s:n,s:[]}]", 2, "a", "b"));

	(void)state;
	assert_string_equal(no, "-\n  n: 1\n  v: \"no\"\n");
	assert_string_equal(escape, "-\n  n: 1\n  v: \"\\u009B:\\n\"\n");
	assert_string_equal(nested,
			    "-\n  n: 1\n  v:\n    - 2\n    -\n      a: null\n      b: []\n");
}

static void a_bar_fits_the_terminal_and_is_gone_at_the_end(void **state)
{
	char text[400] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");
	struct progress_bar bar = { .out = out, .what = "copying something", .width = 60 };

	(void)state;
	assert_non_null(out);
	output_progress(&bar, 1 << 20, 4 << 20, NSEC_PER_SEC);
	output_progress(&bar, 2 << 20, 4 << 20, NSEC_PER_SEC + NSEC_PER_MSEC);
	assert_string_equal(text,
			    "\r\033[K[#######.......................]  25% 1.0M/4.0M copying som");
	output_progress(&bar, 2 << 20, 4 << 20, 2 * NSEC_PER_SEC);
	assert_non_null(strstr(text, "]  50% 2.0M/4.0M, 2.0M/s "));
	output_progress(&bar, 4 << 20, 4 << 20, 2 * NSEC_PER_SEC);
	fclose(out);
	assert_string_equal(strrchr(text, '\r'), "\r\033[K");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_are_sorted_by_several_keys_in_either_direction),
		cmocka_unit_test(a_key_that_there_is_not_is_refused_with_those_that_there_are),
		cmocka_unit_test(columns_are_as_wide_as_what_is_in_them),
		cmocka_unit_test(what_the_line_has_no_room_for_is_cut_from_the_end),
		cmocka_unit_test(only_a_state_has_a_colour_and_only_when_asked_for),
		cmocka_unit_test(nothing_reaches_a_terminal_that_it_would_act_on),
		cmocka_unit_test(csv_quotes_what_would_be_read_otherwise),
		cmocka_unit_test(csv_of_nothing_has_its_titles_all_the_same),
		cmocka_unit_test(yaml_cannot_be_taken_for_another_type),
		cmocka_unit_test(a_bar_fits_the_terminal_and_is_gone_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
