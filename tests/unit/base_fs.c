/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/base/fs.h"

static char dir[64];

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/berth-fs-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return fs_remove_tree(dir, NULL);
}

static void a_written_file_has_the_mode_and_leaves_no_part_behind(void **state)
{
	cleanup_free char *path = fs_join(dir, "file");
	cleanup(buf_finish) struct buf b = BUF_INIT(100);
	struct stat st;

	(void)state;
	assert_int_equal(fs_write_file(path, span_of_str("one"), 0644, NULL), 0);
	assert_int_equal(fs_write_file(path, span_of_str("two"), 0600, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(fs_read_file(path, 10, &b, NULL), 0);
	assert_string_equal(buf_str(&b), "two");
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
}

static void creating_a_file_never_replaces_one(void **state)
{
	cleanup_free char *path = fs_join(dir, "new");
	cleanup(buf_finish) struct buf b = BUF_INIT(100);
	struct err err;

	(void)state;
	assert_int_equal(fs_create_file(path, span_of_str("one"), 0600, &err), 0);
	assert_int_equal(fs_create_file(path, span_of_str("two"), 0600, &err), -1);
	assert_int_equal(err.kind, ERR_EXISTS);
	assert_int_equal(fs_create_file_unsynced(path, span_of_str("two"), 0600, &err), -1);
	assert_int_equal(err.kind, ERR_EXISTS);
	assert_int_equal(fs_read_file(path, 10, &b, NULL), 0);
	assert_string_equal(buf_str(&b), "one");
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
}

static void reading_more_than_the_maximum_is_refused(void **state)
{
	cleanup_free char *path = fs_join(dir, "large");
	cleanup(buf_finish) struct buf b = BUF_INIT(0);
	struct err err;

	(void)state;
	assert_int_equal(fs_write_file(path, span_of_str("0123456789"), 0600, NULL), 0);
	assert_int_equal(fs_read_file(path, 9, &b, &err), -1);
	assert_int_equal(err.kind, ERR_LIMIT);
	buf_clear(&b);
	assert_int_equal(fs_read_file(path, 10, &b, &err), 0);
	assert_int_equal(buf_len(&b), 10);
}

static void removing_a_tree_does_not_follow_links(void **state)
{
	cleanup_free char *deep = fs_join(dir, "a/b/c"), *keep = fs_join(dir, "keep");
	cleanup_free char *link = fs_join(dir, "a/b/link"), *top = fs_join(dir, "a");

	(void)state;
	assert_int_equal(fs_make_dirs(deep, 0700, NULL), 0);
	assert_int_equal(fs_make_dirs(deep, 0700, NULL), 0);
	assert_int_equal(mkdir(keep, 0700), 0);
	assert_int_equal(symlink(keep, link), 0);
	assert_int_equal(fs_remove_tree(top, NULL), 0);
	assert_false(fs_exists(top));
	assert_true(fs_exists(keep));
	assert_int_equal(fs_remove_tree(top, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_written_file_has_the_mode_and_leaves_no_part_behind),
		cmocka_unit_test(creating_a_file_never_replaces_one),
		cmocka_unit_test(reading_more_than_the_maximum_is_refused),
		cmocka_unit_test(removing_a_tree_does_not_follow_links),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
