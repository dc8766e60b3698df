/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "tunnel/services/scratch.h"

/* Two places, the first the better. */
struct places {
	char dir[64], first[80], second[80];
	const char *list[3];
};

static int make_places(void **state)
{
	struct places *p = new_zero(struct places);

	snprintf(p->dir, sizeof(p->dir), "/tmp/berth-scratch-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->first, sizeof(p->first), "%s/first", p->dir);
	snprintf(p->second, sizeof(p->second), "%s/second", p->dir);
	p->list[0] = p->first;
	p->list[1] = p->second;
	assert_int_equal(mkdir(p->first, 0777) | mkdir(p->second, 0777), 0);
	*state = p;
	return 0;
}

static int drop_places(void **state)
{
	struct places *p = *state;

	assert_int_equal(fs_remove_tree(p->dir, NULL), 0);
	free(p);
	return 0;
}

static void assert_private(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void it_is_made_when_it_is_needed_and_is_private(void **state)
{
	struct places *p = *state;
	cleanup(scratch_finish) struct scratch scratch = { 0 };
	char path[PATH_MAX];

	scratch_init(&scratch, p->list, "65a0", 3);
	assert_int_equal(rmdir(p->first), 0); /* it is still empty */
	assert_int_equal(mkdir(p->first, 0777), 0);
	assert_true(scratch_make(&scratch, "vscode", path));
	assert_int_equal(strncmp(path, p->first, strlen(p->first)), 0);
	assert_non_null(strstr(path, "-65a0.3/vscode"));
	assert_private(path);
	assert_private(scratch.path);
	assert_true(scratch_make(&scratch, "vscode", path));
}

static void a_restarted_program_finds_it_again_and_removes_it(void **state)
{
	struct places *p = *state;
	cleanup(scratch_finish) struct scratch scratch = { 0 }, again = { 0 };
	char path[PATH_MAX], second[PATH_MAX];

	scratch_init(&scratch, p->list, "65a0", 0);
	scratch_init(&again, p->list, "65a0", 0);
	assert_true(scratch_make(&scratch, "home", path));
	assert_true(scratch_make(&again, "home", second));
	assert_string_equal(path, second);
	scratch_finish(&again);
	scratch_init(&again, p->list, "65a0", 0);
	scratch_remove(&again, 0);
	assert_false(fs_exists(scratch.path));
	assert_int_equal(rmdir(p->first), 0);
}

/* Somebody else was there first: a link, a file, or a directory that others may read. */
static void what_is_not_ours_alone_is_not_used_nor_removed(void **state)
{
	struct places *p = *state;

	for (int i = 0; i < 3; i++) {
		cleanup(scratch_finish) struct scratch scratch = { 0 };
		cleanup_free char *squatted = NULL;
		char path[PATH_MAX], job[8];

		snprintf(job, sizeof(job), "j%d", i);
		scratch_init(&scratch, p->list, job, 0);
		squatted = fs_join(p->first, scratch.name);
		if (i == 0)
			assert_int_equal(symlink(p->dir, squatted), 0);
		else if (i == 1)
			assert_int_equal(fs_write_file(squatted, span_of_str("x"), 0600, NULL), 0);
		else
			assert_int_equal(mkdir(squatted, 0755), 0);
		assert_true(scratch_make(&scratch, "vscode", path));
		assert_int_equal(strncmp(path, p->second, strlen(p->second)), 0);
		scratch_remove(&scratch, 0);
		assert_true(fs_exists(squatted));
		assert_false(fs_exists(scratch.path));
	}
}

static void where_no_place_can_be_written_to_there_is_none(void **state)
{
	static const char *const nowhere[] = { "/proc", "relative", "/nonexistent", NULL };
	cleanup(scratch_finish) struct scratch scratch = { 0 };
	char path[PATH_MAX];

	(void)state;
	scratch_init(&scratch, nowhere, "x", 0);
	assert_false(scratch_make(&scratch, "home", path));
	assert_false(scratch_make(&scratch, "home", path));
	scratch_remove(&scratch, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_is_made_when_it_is_needed_and_is_private,
						make_places, drop_places),
		cmocka_unit_test_setup_teardown(a_restarted_program_finds_it_again_and_removes_it,
						make_places, drop_places),
		cmocka_unit_test_setup_teardown(what_is_not_ours_alone_is_not_used_nor_removed,
						make_places, drop_places),
		cmocka_unit_test(where_no_place_can_be_written_to_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
