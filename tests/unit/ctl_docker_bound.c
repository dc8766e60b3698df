/* SPDX-License-Identifier: MIT */
/* Job directories that are bound into containers. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/backends/docker/bound.h"
#include "init/base/fs.h"

static void an_owner_of_numbers_needs_no_file(void **state)
{
	struct owner owner = { .uid = 9, .gid = 9 };

	(void)state;
	assert_true(docker_read_owner(NULL, &owner) && owner.uid == 0 && owner.gid == 0);
	assert_true(docker_read_owner("12:34", &owner) && owner.uid == 12 && owner.gid == 34);
	assert_true(docker_read_owner(":5", &owner) && owner.uid == 0 && owner.gid == 5);
	assert_false(docker_read_owner("www", &owner));
	assert_false(docker_read_owner("12:www", &owner));
	assert_false(docker_read_owner("-1", &owner));
}

static void directories_are_bound_where_it_is_known_whose_files_are(void **state)
{
	struct engine rootless = { .is_here = true, .uid = geteuid() + 1 };
	struct engine podman = { .is_here = true, .is_podman = true, .uid = geteuid() };
	struct engine elsewhere = { .uid = geteuid() };
	struct owner owner;
	struct err err;

	(void)state;
	/* Nobody but root makes files of others, and only root is somebody in a rootless engine. */
	assert_int_equal(bound_owner(&rootless, "", &owner, &err), geteuid() == 0);
	if (geteuid() == 0)
		assert_int_equal(owner.uid, rootless.uid);
	assert_int_equal(bound_owner(&rootless, "1000", &owner, &err), 0);
	assert_int_equal(bound_owner(&podman, "", &owner, &err), 0);
	assert_int_equal(bound_owner(&elsewhere, "", &owner, &err), 0);
	assert_int_equal(bound_owner(&rootless, "www", &owner, &err), 0);
}

static void write_text(const char *dir, const char *name, const char *text)
{
	cleanup_free char *path = fs_join(dir, name);
	struct err err;

	assert_int_equal(fs_write_file(path, span_of_str(text), 0600, &err), 0);
}

static const char *get(const char *dir, const char *name, struct buf *text, enum err_kind *ret)
{
	struct err err = { 0 };

	buf_clear(text);
	*ret = bound_get(dir, name, text, &err) == 0 ? ERR_NONE : err.kind;
	return buf_str(text);
}

static void a_bound_directory_has_the_files_and_no_link_leads_out_of_it(void **state)
{
	char dir[] = "/tmp/berth-unit-XXXXXX";
	const struct owner owner = { .uid = geteuid(), .gid = getegid() };
	cleanup(buf_finish) struct buf text = BUF_INIT(DOCKER_FILE_MAX);
	cleanup_free char *path = NULL, *link = NULL, *fifo = NULL;
	enum err_kind kind;
	struct stat st;
	struct err err;

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = bound_path(dir);
	write_text(dir, "a", "one");
	assert_false(bound_exists(dir));
	assert_int_equal(bound_make(dir, &owner, &err), 0);
	assert_true(bound_exists(dir));
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_string_equal(get(dir, "a", &text, &kind), "one");
	assert_int_equal(kind, ERR_NONE);
	write_text(dir, "a", "two");
	assert_string_equal(get(dir, "a", &text, &kind), "one");
	assert_int_equal(bound_put(dir, "a", &err), 0);
	assert_string_equal(get(dir, "a", &text, &kind), "two");
	get(dir, "none", &text, &kind);
	assert_int_equal(kind, ERR_NOT_FOUND);
	/* What the container may have made of it. */
	link = fs_join(path, "link");
	fifo = fs_join(path, "fifo");
	assert_int_equal(symlink("../a", link), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	get(dir, "link", &text, &kind);
	assert_int_not_equal(kind, ERR_NONE);
	get(dir, "fifo", &text, &kind);
	assert_int_equal(kind, ERR_NOT_FOUND);
	/* A link in the place of a file that is brought in is replaced, and not followed. */
	write_text(dir, "link", "mine");
	assert_int_equal(bound_put(dir, "link", &err), 0);
	assert_string_equal(get(dir, "link", &text, &kind), "mine");
	assert_int_equal(bound_remove(dir, &err), 0);
	assert_false(bound_exists(dir));
	assert_int_equal(fs_remove_tree(dir, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_owner_of_numbers_needs_no_file),
		cmocka_unit_test(directories_are_bound_where_it_is_known_whose_files_are),
		cmocka_unit_test(a_bound_directory_has_the_files_and_no_link_leads_out_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
