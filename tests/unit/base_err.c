/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "init/base/err.h"

static void context_is_put_before_the_cause(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(err_set_errno(&err, ENOENT, "open %s", "x"), -1);
	assert_int_equal(err_wrap(&err, "cannot read '%s'", "job"), -1);
	assert_string_equal(err.text, "cannot read 'job': open x: No such file or directory");
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(err.os, ENOENT);
}

static void the_kind_decides_exit_and_http_status(void **state)
{
	struct err err;

	(void)state;
	err_set(&err, ERR_DENIED, "no");
	assert_int_equal(err_exit_status(&err), 77);
	assert_int_equal(err_http_status(&err), 403);
}

static void a_status_that_came_back_is_the_kind_that_was_sent(void **state)
{
	struct err err;

	(void)state;
	for (enum err_kind kind = ERR_NONE; kind <= ERR_PROTOCOL; kind++) {
		err.kind = kind;
		assert_int_equal(err_kind_from_http(err_http_status(&err)), kind);
	}
	assert_int_equal(err_kind_from_http(599), ERR_UNAVAILABLE);
}

static void a_caller_may_not_care(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, ERR_INVALID, "x"), -1);
	assert_int_equal(err_set_errno(NULL, EPERM, "x"), -1);
	assert_int_equal(err_wrap(NULL, "x"), -1);
}

static void a_long_text_is_cut_not_overrun(void **state)
{
	char text[2 * ERR_TEXT_MAX];
	struct err err;

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set_errno(&err, EPERM, "%s", text);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	err_wrap(&err, "b");
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	assert_memory_equal(err.text, "b: aaa", 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(context_is_put_before_the_cause),
		cmocka_unit_test(the_kind_decides_exit_and_http_status),
		cmocka_unit_test(a_status_that_came_back_is_the_kind_that_was_sent),
		cmocka_unit_test(a_caller_may_not_care),
		cmocka_unit_test(a_long_text_is_cut_not_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
