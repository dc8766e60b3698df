/* SPDX-License-Identifier: MIT */
/* Values of a container's options. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "controller/model/container.h"

static void the_places_of_others_are_not_mounted_over(void **state)
{
	static const char *const fine[] = {
		"/x", "/berth-x", "/berth/x", "/x/berth", "/...", "/.b"
	};
	static const char *const own[] = { "/",		  "//",		"/.",
					   "/x/..",	  "/..",	"/berth",
					   "/berth/",	  "//berth",	"/./berth/.",
					   "/a/../berth", "/berth-job", "/berth/../berth-job//" };
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fine); i++)
		assert_int_equal(container_check_target(fine[i], &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		assert_int_equal(container_check_target(own[i], &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

static void a_mount_is_a_source_and_a_target(void **state)
{
	static const struct {
		const char *text;
		enum mount_kind kind;
		const char *source, *target;
		bool is_read_only;
		uint64_t size;
	} cases[] = {
		{ "/data:/in", MOUNT_DIRECTORY, "/data", "/in", false, 0 },
		{ "/data:/in:ro", MOUNT_DIRECTORY, "/data", "/in", true, 0 },
		{ "/a:b c:/in:rw", MOUNT_DIRECTORY, "/a:b c", "/in", false, 0 },
		{ "scratch_1:/w", MOUNT_VOLUME, "scratch_1", "/w", false, 0 },
		{ "tmpfs:/c", MOUNT_MEMORY, NULL, "/c", false, 0 },
		{ "tmpfs:/c:64M", MOUNT_MEMORY, NULL, "/c", false, 64 << 20 },
	};
	static const char *const bad[] = {
		"",	    "/data",	   "/data:in",	 "/data:/in:", "/data:/in:rx",
		"../x:/in", "-x:/in",	   ":/in",	 "a\nb:/in",   "/a\x1b:/in",
		"/a:/b:/c", "tmpfs:/c:ro", "tmpfs:/c:x", "a/b:/in",    "/data:/in:ro:ro",
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup(mount_finish) struct mount mount = { 0 };

		assert_int_equal(mount_parse(cases[i].text, &mount, &err), 0);
		assert_int_equal(mount.kind, cases[i].kind);
		if (cases[i].source)
			assert_string_equal(mount.source, cases[i].source);
		else
			assert_null(mount.source);
		assert_string_equal(mount.target, cases[i].target);
		assert_int_equal(mount.is_read_only, cases[i].is_read_only);
		assert_int_equal(mount.size, cases[i].size);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(container_check_mount(bad[i], &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

static void a_bound_directory_has_a_target_of_its_own_or_the_usual_one(void **state)
{
	cleanup(mount_finish) struct mount usual = { 0 }, own = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(container_parse_bound_dir("/a:b", "/in", &usual, &err), 0);
	assert_string_equal(usual.source, "/a:b");
	assert_string_equal(usual.target, "/in");
	assert_int_equal(container_parse_bound_dir("/a:/mine", "/in", &own, &err), 0);
	assert_string_equal(own.source, "/a");
	assert_string_equal(own.target, "/mine");
	assert_int_equal(container_check_bound_dir("a", &err), -1);
	assert_int_equal(container_check_bound_dir("/a:/b:ro", &err), -1);
	assert_int_equal(container_check_bound_dir("/a\n", &err), -1);
}

static void cpus_are_whole_or_parts(void **state)
{
	static const struct {
		const char *text;
		uint64_t milli;
	} good[] = { { "1", 1000 },	{ "0.5", 500 }, { "500m", 500 },
		     { "2.125", 2125 }, { "1m", 1 },	{ "64", 64000 } };
	static const char *const bad[] = { "",	     "0",   "0m",   "-1", ".5",	     "1.",
					   "1.2345", "1e3", "0x10", "1 ", "9999999", "0.000" };
	uint64_t milli = 0;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(container_parse_cpus(good[i].text, &milli));
		assert_int_equal(milli, good[i].milli);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(container_check_cpu_limit(bad[i], &err), -1);
}

static void a_user_is_drawn_from_its_range(void **state)
{
	static const char *const bad[] = { "",	    ":",     "x y",   "-1",  "1000-",
					   "20-10", "1:2:3", "1-2-3", "a/b", "99999999999" };
	char user[CONTAINER_USER_SIZE];
	bool seen[3] = { false };
	struct err err;

	(void)state;
	assert_int_equal(container_choose_user("1000:100", user, &err), 0);
	assert_string_equal(user, "1000:100");
	assert_int_equal(container_choose_user("1000", user, &err), 0);
	assert_string_equal(user, "1000");
	assert_int_equal(container_choose_user("www-data:www-data", user, &err), 0);
	assert_string_equal(user, "www-data:www-data");
	/* Only a group: it is somebody's. */
	assert_int_equal(container_choose_user(":100", user, &err), 0);
	assert_string_equal(user, "0:100");
	for (int i = 0; i < 300; i++) {
		long id;

		assert_int_equal(container_choose_user("7-9:1-1", user, &err), 0);
		id = strtol(user, NULL, 10);
		assert_true(id >= 7 && id <= 9);
		assert_string_equal(strchr(user, ':'), ":1");
		seen[id - 7] = true;
	}
	assert_true(seen[0] && seen[1] && seen[2]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(container_check_user(bad[i], &err), -1);
}

static void words_are_of_their_list(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(container_check_pull("never", &err), 0);
	assert_int_equal(container_check_pull("sometimes", &err), -1);
	assert_int_equal(container_check_restart("no", &err), 0);
	assert_int_equal(container_check_restart("on-failure", &err), 0);
	assert_int_equal(container_check_restart("on-failure:3", &err), 0);
	assert_int_equal(container_check_restart("on-failure:0", &err), -1);
	assert_int_equal(container_check_restart("always:3", &err), -1);
	assert_int_equal(container_check_restart("", &err), -1);
	assert_int_equal(container_check_label("a.b/c=", &err), 0);
	assert_int_equal(container_check_label("a=b=c", &err), 0);
	assert_int_equal(container_check_label("a", &err), -1);
	assert_int_equal(container_check_label("=b", &err), -1);
	assert_int_equal(container_check_label("berth.uid=mine", &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_places_of_others_are_not_mounted_over),
		cmocka_unit_test(a_mount_is_a_source_and_a_target),
		cmocka_unit_test(a_bound_directory_has_a_target_of_its_own_or_the_usual_one),
		cmocka_unit_test(cpus_are_whole_or_parts),
		cmocka_unit_test(a_user_is_drawn_from_its_range),
		cmocka_unit_test(words_are_of_their_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
