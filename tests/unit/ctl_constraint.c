/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "controller/model/constraint.h"
#include "init/base/macro.h"

static const char features[] = "fast,rack1,knl";

static void assert_allowed(const char *const *constraints, size_t len, bool expected)
{
	struct err err;

	for (size_t i = 0; i < len; i++) {
		if (constraint_check(constraints[i], &err) < 0)
			fail_msg("%s", err.text);
		if (constraint_allows(constraints[i], features) != expected)
			fail_msg("%s", constraints[i]);
	}
}

static void features_are_joined_by_and_before_or(void **state)
{
	static const char *const yes[] = {
		"fast",	       "fast&rack1",  "fast,rack1", "slow|rack1",
		"slow&x|fast", "fast|slow&x", "!slow",	    "fast&!slow"
	};
	static const char *const no[] = { "slow",      "fas",	"faster",
					  "fast&slow", "!fast", "slow|x&fast" };

	(void)state;
	assert_allowed(yes, ARRAY_LEN(yes), true);
	assert_allowed(no, ARRAY_LEN(no), false);
}

static void parentheses_and_brackets_group(void **state)
{
	static const char *const yes[] = {
		"(slow|fast)&rack1", "fast&(x|rack1)", "[rack1|rack2]",
		"[(fast&rack1)|x]",  "!(slow&fast)",   "fast&[rack1|x]"
	};
	static const char *const no[] = { "(slow|x)&fast", "[rack2|rack3]", "!(slow|fast)",
					  "slow&[rack1|x]" };

	(void)state;
	assert_allowed(yes, ARRAY_LEN(yes), true);
	assert_allowed(no, ARRAY_LEN(no), false);
}

static void of_what_is_counted_a_node_needs_one_thing(void **state)
{
	static const char *const yes[] = { "fast*2", "[rack1*2&rack2*4]",
					   "[(knl&fast)*4&haswell*1]", "fast&x*2&rack1*3",
					   "rack2*1|fast*1" };
	static const char *const no[] = { "slow*2", "[rack2*2&rack3*4]", "[(knl&slow)*4&haswell*1]",
					  "slow&fast*2&rack1*3" };

	(void)state;
	assert_allowed(yes, ARRAY_LEN(yes), true);
	assert_allowed(no, ARRAY_LEN(no), false);
}

static void what_slurm_would_refuse_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *constraint, *expected;
	} cases[] = {
		{ "", "a feature before 'the end'" },
		{ "a&", "a feature before 'the end'" },
		{ "|a", "a feature before '|a'" },
		{ "a&&b", "a feature before '&b'" },
		{ "(a", "a ')' before 'the end'" },
		{ "[a|b", "a ']' before 'the end'" },
		{ "a)", "before ')'" },
		{ "a*", "a number of nodes before" },
		{ "a*0", "a number of nodes" },
		{ "a*2000000", "a number of nodes" },
		{ "a*2b", "&, | or the end before 'b'" },
		{ "((a))", "nothing nested" },
		{ "[[a]]", "nothing nested" },
		{ "([a|b])", "nothing nested" },
		{ "a b", "before ' b'" },
		{ "!!a", "a feature before '!a'" },
		{ "()", "a feature before ')'" },
		{ "(a]", "a ')' before ']'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err;

		assert_int_equal(constraint_check(cases[i].constraint, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		if (!strstr(err.text, cases[i].expected))
			fail_msg("%s: %s", cases[i].constraint, err.text);
		assert_false(constraint_allows(cases[i].constraint, features));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(features_are_joined_by_and_before_or),
		cmocka_unit_test(parentheses_and_brackets_group),
		cmocka_unit_test(of_what_is_counted_a_node_needs_one_thing),
		cmocka_unit_test(what_slurm_would_refuse_is_refused_with_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
