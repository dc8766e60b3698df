/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "init/base/alloc.h"
#include "init/base/err.h"
#include "init/base/macro.h"
#include "tunnel/relay/admit.h"

#define DAY_S UINT64_C(86400)
#define NOW_S (20000 * DAY_S) /* 2024-10-04 */

/* "name sha256:HEX rest\n" of a token that is the name with "-token" behind it. */
static char *line(const char *name, const char *rest)
{
	cleanup_free char *token = str_printf("%s-token", name);
	char hash[ADMIT_HASH_TEXT_MAX];

	admit_hash_text(span_of_str(token), hash);
	return str_printf("%s %s %s\n", name, hash, rest);
}

static int load(struct admit *admit, const char *text, struct err *err)
{
	return admit_load(admit, span_of_str(text), err);
}

static struct admit_user *find(const struct admit *admit, const char *token)
{
	enum relay_code code;

	return admit_find(admit, span_of_str(token), NOW_S, &code);
}

static void a_token_is_known_by_its_hash(void **state)
{
	cleanup(admit_free) struct admit *admit = admit_new();
	cleanup_free char *alice = line("alice", "jobs=2 clients=3 rate=8");
	cleanup_free char *text =
		str_printf("# users\n\n%s\tbob sha256:%064d # nobody\r\n", alice, 0);
	enum relay_code code = 0;
	const struct admit_user *user;

	(void)state;
	assert_int_equal(load(admit, text, NULL), 0);
	assert_int_equal(admit_count(admit), 2);
	user = find(admit, "alice-token");
	assert_non_null(user);
	assert_string_equal(user->name, "alice");
	assert_int_equal(user->max[RELAY_JOB], 2);
	assert_int_equal(user->max[RELAY_CLIENT], 3);
	assert_int_equal(user->rate, 1000000);
	assert_null(admit_find(admit, span_of_str("alice-tokem"), NOW_S, &code));
	assert_int_equal(code, RELAY_CODE_TOKEN);
	assert_null(admit_find(admit, span_of_str(""), NOW_S, &code));
}

static void a_token_is_good_until_the_end_of_its_day(void **state)
{
	cleanup(admit_free) struct admit *admit = admit_new();
	cleanup_free char *text = line("alice", "expires=2024-10-04");
	enum relay_code code = 0;

	(void)state;
	assert_int_equal(load(admit, text, NULL), 0);
	assert_non_null(admit_find(admit, span_of_str("alice-token"), NOW_S + DAY_S - 1, &code));
	assert_null(admit_find(admit, span_of_str("alice-token"), NOW_S + DAY_S, &code));
	assert_int_equal(code, RELAY_CODE_EXPIRED);
}

static void dates_are_those_of_the_calendar(void **state)
{
	/* Days since 1970, computed with Python's datetime. */
	static const struct {
		const char *date;
		uint64_t day;
	} days[] = {
		{ "1970-01-01", 0 },	 { "2000-02-29", 11016 },   { "2024-12-31", 20088 },
		{ "2027-03-01", 20878 }, { "9999-12-31", 2932896 },
	};
	static const char *const none[] = {
		"2023-02-29", "2100-02-29", "2024-13-01", "2024-00-01",
		"2024-04-31", "2024-1-1",   "tomorrow",	  "2024-01-0x"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(days); i++) {
		cleanup(admit_free) struct admit *admit = admit_new();
		cleanup_free char *rest = str_printf("expires=%s", days[i].date);
		cleanup_free char *text = line("alice", rest);

		assert_int_equal(load(admit, text, NULL), 0);
		assert_int_equal(admit_first(admit)->expires, (days[i].day + 1) * DAY_S);
	}
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		cleanup(admit_free) struct admit *admit = admit_new();
		cleanup_free char *rest = str_printf("expires=%s", none[i]);
		cleanup_free char *text = line("alice", rest);

		assert_int_equal(load(admit, text, NULL), -1);
	}
}

static void what_is_wrong_with_a_line_is_said_and_nothing_changes(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "\n\nbob\n", "line 3: a name and sha256:HEX" },
		{ "bob sha256:12\n", "line 1: the second word" },
		{ "bob md5:12\n", "line 1: the second word" },
		{ "x sha256:"
		  "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\n",
		  "line 1: the second word" },
		{ "x sha256:"
		  "0000000000000000000000000000000000000000000000000000000000000000 speed=9\n",
		  "'speed=9' is none of" },
		{ "x sha256:"
		  "0000000000000000000000000000000000000000000000000000000000000000 rate=0\n",
		  "'rate=0' is none of" },
		{ "x sha256:"
		  "0000000000000000000000000000000000000000000000000000000000000000\n"
		  "x sha256:"
		  "1111111111111111111111111111111111111111111111111111111111111111\n",
		  "'x' has two lines" },
	};
	cleanup(admit_free) struct admit *admit = admit_new();
	cleanup_free char *alice = line("alice", "");

	(void)state;
	assert_int_equal(load(admit, alice, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err err = { 0 };

		assert_int_equal(load(admit, bad[i].text, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_non_null(strstr(err.text, bad[i].says));
		assert_int_equal(admit_count(admit), 1);
		assert_non_null(find(admit, "alice-token"));
	}
	assert_int_equal(admit_load(admit, span_of("a\0b", 3), &(struct err){ 0 }), -1);
}

static void a_user_has_as_many_registrations_as_the_line_says(void **state)
{
	cleanup(admit_free) struct admit *admit = admit_new();
	cleanup_free char *text = line("alice", "jobs=1");
	struct admit_user *user;

	(void)state;
	assert_int_equal(load(admit, text, NULL), 0);
	user = find(admit, "alice-token");
	assert_true(admit_enter(user, RELAY_JOB));
	assert_false(admit_enter(user, RELAY_JOB));
	assert_true(admit_enter(user, RELAY_CLIENT));
	assert_true(admit_enter(user, RELAY_CLIENT));
	admit_leave(admit, user, RELAY_JOB);
	assert_true(admit_enter(user, RELAY_JOB));
	admit_leave(admit, user, RELAY_JOB);
	admit_leave(admit, user, RELAY_CLIENT);
	admit_leave(admit, user, RELAY_CLIENT);
}

static void a_new_file_keeps_the_counts_and_takes_the_limits(void **state)
{
	cleanup(admit_free) struct admit *admit = admit_new();
	cleanup_free char *before = line("alice", "jobs=2"), *after = line("alice", "jobs=1"),
			  *bob = line("bob", "");
	struct admit_user *user;

	(void)state;
	assert_int_equal(load(admit, before, NULL), 0);
	user = find(admit, "alice-token");
	assert_true(admit_enter(user, RELAY_JOB));
	assert_int_equal(load(admit, after, NULL), 0);
	assert_ptr_equal(find(admit, "alice-token"), user);
	assert_false(admit_enter(user, RELAY_JOB));
	/* Out of the file: not good, but there until the last registration is gone. */
	assert_int_equal(load(admit, bob, NULL), 0);
	assert_false(admit_is_good(user, NOW_S));
	assert_null(find(admit, "alice-token"));
	admit_leave(admit, user, RELAY_JOB);
	assert_int_equal(admit_count(admit), 1);
	assert_string_equal(admit_first(admit)->name, "bob");
	assert_null(admit_first(admit)->next);
}

static void another_token_for_the_same_name_is_another_user(void **state)
{
	cleanup(admit_free) struct admit *admit = admit_new();
	cleanup_free char *before = line("alice", "");
	struct admit_user *user;

	(void)state;
	assert_int_equal(load(admit, before, NULL), 0);
	user = find(admit, "alice-token");
	assert_true(admit_enter(user, RELAY_CLIENT));
	assert_int_equal(load(admit,
			      "alice sha256:0000000000000000000000000000000000000000000000000000000"
			      "000000000\n",
			      NULL),
			 0);
	assert_false(admit_is_good(user, NOW_S));
	assert_null(find(admit, "alice-token"));
	admit_leave(admit, user, RELAY_CLIENT);
}

static void a_rate_is_kept_to_and_bursts_pass(void **state)
{
	cleanup(admit_free) struct admit *admit = admit_new();
	cleanup_free char *text = line("alice", "rate=80"); /* 10 MB a second, a burst of 1 MB */
	struct admit_user *user;
	uint64_t now = 5 * NSEC_PER_SEC, passed = 0;

	(void)state;
	assert_int_equal(load(admit, text, NULL), 0);
	user = find(admit, "alice-token");
	for (int i = 0; i < 20000; i++, now += 100 * 1000) {
		passed += admit_spend(user, 5000, now) ? 5000 : 0;
		passed += admit_spend(user, 7, now + 1000) ? 7 : 0;
	}
	/* Two seconds. */
	assert_in_range(passed, 20 * 1000 * 1000, 21 * 1000 * 1000 + 10000);
	assert_true(user->dropped > 0);
	assert_int_equal(user->bytes, passed);
	user->rate = 0;
	assert_true(admit_spend(user, 1u << 30, now));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_is_known_by_its_hash),
		cmocka_unit_test(a_token_is_good_until_the_end_of_its_day),
		cmocka_unit_test(dates_are_those_of_the_calendar),
		cmocka_unit_test(what_is_wrong_with_a_line_is_said_and_nothing_changes),
		cmocka_unit_test(a_user_has_as_many_registrations_as_the_line_says),
		cmocka_unit_test(a_new_file_keeps_the_counts_and_takes_the_limits),
		cmocka_unit_test(another_token_for_the_same_name_is_another_user),
		cmocka_unit_test(a_rate_is_kept_to_and_bursts_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
