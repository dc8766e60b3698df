/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/files/firecrest_internal.h"
#include "controller/files/sftp.h"
#include "init/base/alloc.h"

static bool owners(const char *line, char **user, char **group)
{
	return fs_sftp_owners(span_of_str(line), user, group);
}

static void user_and_group_are_read_from_a_line_as_ls_prints_it(void **state)
{
	cleanup_free char *user = NULL, *group = NULL;

	(void)state;
	assert_true(owners("-rw-r--r--    1 ann      physics        12 Nov  1 10:00 a b", &user,
			   &group));
	assert_string_equal(user, "ann");
	assert_string_equal(group, "physics");
}

static void a_line_that_looks_otherwise_has_no_owners(void **state)
{
	static const char *const lines[] = { "", "a name", "-rw-r--r-- x ann users 1",
					     "-rw-r--r-- 1", "-rw-r--r-- 1 ann" };
	char *user = NULL, *group = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		assert_false(owners(lines[i], &user, &group));
	assert_null(user);
	assert_false(fs_sftp_owners(span_of("-rw-r--r-- 1 a\0b c d", 21), &user, &group));
}

static void owners_are_harmless_for_a_terminal(void **state)
{
	cleanup_free char *user = NULL, *group = NULL;

	(void)state;
	assert_true(owners("-rw-r--r-- 1 a\x1b[31m b\x07 1", &user, &group));
	assert_null(strchr(user, '\x1b'));
	assert_null(strchr(group, '\x07'));
}

/* A shell plays the server. */
static struct fs *open_script(const char *script, bool is_marked)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	const struct fs_sftp_plan plan = { .name = "place", .argv = argv, .is_marked = is_marked };
	struct fs *fs = NULL;

	assert_int_equal(fs_sftp_open(&plan, &fs, NULL), 0);
	return fs;
}

static void expect_failure(const char *script, bool is_marked, enum err_kind kind,
			   const char *words)
{
	cleanup(fs_close) struct fs *fs = open_script(script, is_marked);
	cleanup(fs_list_finish) struct fs_list list = { 0 };
	struct err err = { 0 };

	assert_int_equal(fs_list(fs, "dir", &list, &err), -1);
	assert_int_equal(err.kind, kind);
	assert_non_null(strstr(err.text, words));
	assert_int_equal(list.len, 0);
	/* It stays so. */
	assert_int_equal(fs_list(fs, "dir", &list, NULL), -1);
}

static void a_server_that_ends_is_told_with_its_last_words(void **state)
{
	(void)state;
	expect_failure("echo first >&2; echo 'the last word' >&2; exit 3", false, ERR_UNAVAILABLE,
		       "place:dir: the way to its files ended: the last word");
	expect_failure("exit 0", true, ERR_UNAVAILABLE, "ended");
}

static void what_is_no_server_is_refused_and_not_waited_for(void **state)
{
	(void)state;
	expect_failure("echo welcome to this machine; sleep 60", false, ERR_PROTOCOL, "SFTP");
	expect_failure("yes berth-begins-there", true, ERR_PROTOCOL, "without end");
}

/* Each answer comes when its request has: INIT, OPENDIR "dir", READDIR. */
#define AFTER(len, answer) "head -c " len " >/dev/null; printf '" answer "'; "
#define VERSION "\\000\\000\\000\\005\\002\\000\\000\\000\\003"
#define HANDLE "\\000\\000\\000\\012\\146\\000\\000\\000\\000\\000\\000\\000\\001h"
/* One name, "a/b", with no attributes. */
#define NAME_A_B                                                            \
	"\\000\\000\\000\\030\\150\\000\\000\\000\\000\\000\\000\\000\\001" \
	"\\000\\000\\000\\003a/b\\000\\000\\000\\000\\000\\000\\000\\000"

static void a_name_that_no_file_has_is_refused(void **state)
{
	(void)state;
	expect_failure(AFTER("9", VERSION) AFTER("16", HANDLE) AFTER("14", NAME_A_B), false,
		       ERR_PROTOCOL, "a name that no file has");
	expect_failure("echo noise; echo berth-begins-here; " AFTER("9", VERSION)
			       AFTER("16", HANDLE) AFTER("14", NAME_A_B),
		       true, ERR_PROTOCOL, "a name that no file has");
}

static void an_answer_to_what_nobody_asked_ends_it(void **state)
{
	(void)state;
	expect_failure(AFTER("9", VERSION) AFTER("16", HANDLE) AFTER("14", HANDLE), false,
		       ERR_PROTOCOL, "something else");
}

static void a_list_is_sorted_by_bytes(void **state)
{
	static const char *const names[] = { "b", "\xff", "A", "a b", "" };
	cleanup(fs_list_finish) struct fs_list list = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		fs_list_add(&list, &(struct fs_entry){ .name = str_dup(names[i]) });
	fs_list_sort(&list);
	assert_string_equal(list.items[0].name, "");
	assert_string_equal(list.items[1].name, "A");
	assert_string_equal(list.items[4].name, "\xff");
}

static void permissions_are_read_in_every_form_that_ls_prints(void **state)
{
	(void)state;
	assert_int_equal(fs_firecrest_mode("rw-r-----"), 0640);
	assert_int_equal(fs_firecrest_mode("-rwxr-xr-x."), 0755);
	assert_int_equal(fs_firecrest_mode("drwxrwsr-t+"), 03775);
	assert_int_equal(fs_firecrest_mode("rwSr--r--"), 04644);
	assert_int_equal(fs_firecrest_mode(""), 0);
	assert_int_equal(fs_firecrest_mode("rwx"), 0);
	assert_int_equal(fs_firecrest_mode("rwxrwxrwxrwxrwx"), 0);
}

static void an_entry_of_firecrest_is_read_and_a_path_is_none(void **state)
{
	cleanup(json_release) json_t *good = json_loads(
		"{\"name\": \"a b\", \"type\": \"l\", \"user\": \"x\\u001b\", \"size\": \"12\","
		"\"lastModified\": \"1970-01-01T00:01:00\", \"linkTarget\": \"t\", \"new\": []}",
		0, NULL);
	static const char *const bad[] = { "{}", "{\"name\": \"\"}", "{\"name\": \"a/b\"}",
					   "{\"name\": \"..\"}", "{\"name\": 7}" };
	cleanup(fs_entry_finish) struct fs_entry entry = { 0 };

	(void)state;
	assert_true(fs_firecrest_entry(good, &entry));
	assert_string_equal(entry.name, "a b");
	assert_int_equal(entry.type, 'l');
	assert_int_equal(entry.size, 12);
	assert_int_equal(entry.mtime_s, 60);
	assert_string_equal(entry.target, "t");
	assert_string_equal(entry.user, "x?");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cleanup(json_release) json_t *json = json_loads(bad[i], 0, NULL);
		struct fs_entry none;

		assert_false(fs_firecrest_entry(json, &none));
	}
}

/* JSON with single quotes. */
static json_t *json_of(const char *text)
{
	cleanup_free char *copy = str_dup(text);

	for (char *p = copy; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	return json_loads(copy, 0, NULL);
}

static void a_copy_of_a_tree_has_the_same_names_kinds_and_sizes(void **state)
{
	static const struct {
		const char *copy;
		bool is_same;
	} cases[] = {
		{ "{'output': [{'name': 'd', 'type': 'd', 'size': '60'},"
		  " {'name': 'd/f', 'type': '-', 'size': '7'}]}",
		  true },
		{ "{'output': [{'name': 'd', 'type': 'd', 'size': '60'},"
		  " {'name': 'd/f', 'type': '-', 'size': '6'}]}",
		  false },
		{ "{'output': [{'name': 'd', 'type': 'd', 'size': '4'}]}", false },
		{ "{'output': [{'name': 'd', 'type': 'd'}, {'name': 'd/f', 'type': 'l'}]}", false },
		{ "{'output': [{'name': 'd', 'type': 'd'}, {'name': 'g', 'type': '-'}]}", false },
		{ "{'output': {}}", false },
		{ "[]", false },
	};
	cleanup(json_release) json_t *tree = json_of(cases[0].copy);

	(void)state;
	json_object_set_new(json_array_get(json_object_get(tree, "output"), 0), "size",
			    json_string("4096"));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup(json_release) json_t *copy = json_of(cases[i].copy);

		assert_int_equal(fs_firecrest_is_same_tree(tree, copy), cases[i].is_same);
	}
}

static void a_list_of_parts_has_plain_etags_only(void **state)
{
	struct s3_part parts[] = { { .etag = "\"0a\"" }, { .etag = "b-2" } };
	cleanup(buf_finish) struct buf list = BUF_INIT(4096);
	struct err err = { 0 };

	(void)state;
	assert_int_equal(s3_format_parts(parts, 2, &list, NULL), 0);
	assert_non_null(strstr(buf_str(&list), "<Part><PartNumber>2</PartNumber><ETag>b-2</ETag>"));
	snprintf(parts[1].etag, S3_ETAG_SIZE, "x</ETag><b>");
	assert_int_equal(s3_format_parts(parts, 2, &list, &err), -1);
	assert_int_equal(err.kind, ERR_PROTOCOL);
	parts[1].etag[0] = '\0';
	assert_int_equal(s3_format_parts(parts, 2, &list, NULL), -1);
}

static void what_a_store_says_is_told_without_what_a_terminal_would_do(void **state)
{
	struct err err = { 0 };

	(void)state;
	s3_explain(403, span_of_str("<?xml?><Error><Code>No\x1b[2J</Code><Message>why</Message>"),
		   &err);
	assert_int_equal(err.kind, ERR_DENIED);
	assert_string_equal(err.text, "the store answered 403: No?[2J: why");
	s3_explain(500, span_of_str("<Code>"), &err);
	assert_string_equal(err.text, "the store answered 500");
	s3_explain(200, span_of_str("<Error><Code>InternalError</Code></Error>"), &err);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(user_and_group_are_read_from_a_line_as_ls_prints_it),
		cmocka_unit_test(a_line_that_looks_otherwise_has_no_owners),
		cmocka_unit_test(owners_are_harmless_for_a_terminal),
		cmocka_unit_test(a_server_that_ends_is_told_with_its_last_words),
		cmocka_unit_test(what_is_no_server_is_refused_and_not_waited_for),
		cmocka_unit_test(a_name_that_no_file_has_is_refused),
		cmocka_unit_test(an_answer_to_what_nobody_asked_ends_it),
		cmocka_unit_test(a_list_is_sorted_by_bytes),
		cmocka_unit_test(permissions_are_read_in_every_form_that_ls_prints),
		cmocka_unit_test(an_entry_of_firecrest_is_read_and_a_path_is_none),
		cmocka_unit_test(a_copy_of_a_tree_has_the_same_names_kinds_and_sizes),
		cmocka_unit_test(a_list_of_parts_has_plain_etags_only),
		cmocka_unit_test(what_a_store_says_is_told_without_what_a_terminal_would_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
