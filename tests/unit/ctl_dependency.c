/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "controller/model/dependency.h"
#include "init/base/macro.h"

/* Whoever is asked for is put into brackets. */
static int mark(void *owner, const char *job, struct buf *ret, struct err *err)
{
	(*(int *)owner)++;
	if (strcmp(job, "nobody") == 0)
		return err_set(err, ERR_NOT_FOUND, "no job '%s'", job);
	return buf_printf(ret, "<%s>", job) ? 0 : err_set(err, ERR_LIMIT, "too long");
}

static void names_become_ids_and_ids_stay(void **state)
{
	static const struct {
		const char *list, *expected;
		int names;
	} cases[] = {
		{ "afterok:123", "afterok:123", 0 },
		{ "afterok:123_4:12+5", "afterok:123_4:12+5", 0 },
		{ "afterok:job-7", "afterok:<job-7>", 1 },
		{ "afterok:job-7_3:9:train,afterany:a.b",
		  "afterok:<job-7_3>:9:<train>,afterany:<a.b>", 3 },
		{ "after:job-7+5:9+1?afternotok:job-8.hpc",
		  "after:<job-7>+5:9+1?afternotok:<job-8.hpc>", 2 },
		{ "singleton", "singleton", 0 },
		{ "singleton,afterok:job-1", "singleton,afterok:<job-1>", 1 },
		{ "on:2,before:5.server", "on:2,before:5.server", 0 },
		{ "afterok::job-1:", "afterok::<job-1>:", 1 },
		{ ",?:", ",?:", 0 },
		{ "", "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup(buf_finish) struct buf text = BUF_INIT(DEPENDENCY_MAX);
		int names = 0;
		struct err err;

		assert_int_equal(dependency_translate(cases[i].list, mark, &names, &text, &err), 0);
		assert_string_equal(buf_str(&text), cases[i].expected);
		assert_int_equal(names, cases[i].names);
	}
}

static void a_name_that_nobody_has_is_an_error_and_so_is_a_list_without_end(void **state)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(DEPENDENCY_MAX), small = BUF_INIT(12);
	int names = 0;
	struct err err;

	(void)state;
	assert_int_equal(dependency_translate("afterok:1:nobody", mark, &names, &text, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	for (const char *list = "afterok:1+23456:a+12345"; *list; list++) {
		buf_clear(&small);
		if (strlen(list) > 12) {
			assert_int_equal(dependency_translate(list, mark, &names, &small, &err),
					 -1);
			assert_int_equal(err.kind, ERR_LIMIT);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_become_ids_and_ids_stay),
		cmocka_unit_test(a_name_that_nobody_has_is_an_error_and_so_is_a_list_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
