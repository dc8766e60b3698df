/* SPDX-License-Identifier: MIT */
/* What an init container copies, and how. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "init/install.h"

static char top[] = "/tmp/berth-install-XXXXXX";

static int make_top(void **state)
{
	(void)state;
	return mkdtemp(top) ? 0 : -1;
}

static int remove_top(void **state)
{
	(void)state;
	return fs_remove_tree(top, NULL);
}

static void put(const char *name, const char *text)
{
	cleanup_free char *path = fs_join(top, name);
	cleanup_free char *dir = str_dup_len(path, (size_t)(strrchr(path, '/') - path));

	assert_int_equal(fs_make_dirs(dir, 0755, NULL), 0);
	assert_int_equal(fs_write_file_unsynced(path, span_of_str(text), 0644, NULL), 0);
}

static int run(const char *from, const char *to, const char *mode, struct err *err)
{
	cleanup_free char *what = str_printf("%s/%s:%s/%s:%s", top, from, top, to, mode);

	return install(what, err);
}

static void expect(const char *name, const char *text, mode_t mode)
{
	cleanup_free char *path = fs_join(top, name);
	cleanup(buf_finish) struct buf content = BUF_INIT(4096);
	struct stat st;

	assert_int_equal(fs_read_file(path, 4096, &content, NULL), 0);
	assert_string_equal(buf_str(&content), text);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, mode);
}

static bool is_there(const char *name)
{
	cleanup_free char *path = fs_join(top, name);

	return access(path, F_OK) == 0;
}

static void files_are_copied_and_parts_become_one(void **state)
{
	struct err err = { 0 };

	(void)state;
	put("a/small", "one");
	put("a/big.part00", "be");
	put("a/big.part01", "r");
	put("a/big.part02", "th");
	put("a/odd.part1", "no part");
	put("a/deeper/not", "this");
	for (int i = 0; i < 2; i++) {
		if (run("a", "b/c", "0555", &err) < 0)
			fail_msg("%s", err.text);
	}
	expect("b/c/small", "one", 0555);
	expect("b/c/big", "berth", 0555);
	expect("b/c/odd.part1", "no part", 0555);
	assert_false(is_there("b/c/big.part00"));
	assert_false(is_there("b/c/deeper"));
}

static void files_of_a_volume_are_links_to_a_version_of_it(void **state)
{
	cleanup_free char *link = fs_join(top, "v/key"), *now = fs_join(top, "v/..data");
	cleanup_free char *dir = fs_join(top, "job");
	struct stat st;

	(void)state;
	put("v/..2026/key", "secret");
	assert_int_equal(symlink("..2026", now), 0);
	assert_int_equal(symlink("..data/key", link), 0);
	assert_int_equal(run("v", "job", "0600", NULL), 0);
	expect("job/key", "secret", 0600);
	assert_false(is_there("job/..data"));
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static void applets_are_links_to_busybox(void **state)
{
	cleanup_free char *link = fs_join(top, "p/bin/tar");
	char target[32] = "";

	(void)state;
	put("o/busybox", "#!");
	put("o/applets", "sh\ntar\n");
	assert_int_equal(run("o", "p", "0555", NULL), 0);
	assert_int_equal(run("o", "p", "0555", NULL), 0);
	assert_int_equal(readlink(link, target, sizeof(target) - 1), 10);
	assert_string_equal(target, "../busybox");
	assert_true(is_there("p/bin/sh"));
}

static void what_cannot_be_copied_is_told(void **state)
{
	static const char *const wrong[] = { "a:/b:0555",  "/a:b:0555",	 "/a:/b", "/a:/b:",
					     "/a:/b:0999", "/a:/b:7777", "/a" };
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(install(wrong[i], &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
	assert_int_equal(run("nothing", "q", "0555", &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	put("x/file", "");
	put("file", "");
	assert_int_equal(run("x", "file", "0555", &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_copied_and_parts_become_one),
		cmocka_unit_test(files_of_a_volume_are_links_to_a_version_of_it),
		cmocka_unit_test(applets_are_links_to_busybox),
		cmocka_unit_test(what_cannot_be_copied_is_told),
	};

	return cmocka_run_group_tests(tests, make_top, remove_top);
}
