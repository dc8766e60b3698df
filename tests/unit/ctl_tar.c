/* SPDX-License-Identifier: MIT */
/* Archives: written for tar and for engines, and read from what these give. */
#include "tests/unit/unit.h"

#include <string.h>

#include "controller/model/tar.h"
#include "controller/run/child.h"
#include "init/base/cleanup.h"

static void archives_are_read_as_they_were_written(void **state)
{
	cleanup(buf_finish) struct buf archive = BUF_INIT(1 << 20);
	struct tar_entry entry;
	struct span rest, content;
	struct err err;

	(void)state;
	assert_true(tar_add(&archive, &(struct tar_file){ .name = "dir/", .mode = 0700 }));
	assert_true(
		tar_add(&archive, &(struct tar_file){ .name = "dir/sh", .link = "../busybox" }));
	assert_true(tar_add(&archive, &(struct tar_file){ .name = "dir/a",
							  .mode = 0600,
							  .uid = 1000,
							  .content = span_of_str("content") }));
	assert_true(tar_end(&archive));
	assert_int_equal(buf_len(&archive) % TAR_BLOCK, 0);
	rest = buf_span(&archive);
	assert_int_equal(tar_next(&rest, &entry, &err), 1);
	assert_string_equal(entry.name, "dir/");
	assert_int_equal(entry.type, '5');
	assert_int_equal(tar_next(&rest, &entry, &err), 1);
	assert_int_equal(entry.type, '2');
	assert_int_equal(tar_next(&rest, &entry, &err), 1);
	assert_string_equal(entry.name, "dir/a");
	assert_true(span_equal_str(entry.content, "content"));
	assert_int_equal(tar_next(&rest, &entry, &err), 0);
	assert_int_equal(tar_first_file(buf_span(&archive), &content, &err), 0);
	assert_true(span_equal_str(content, "content"));
	/* Every byte of a header counts. */
	archive.mem[archive.head + 10] ^= 1;
	rest = buf_span(&archive);
	assert_int_equal(tar_next(&rest, &entry, &err), -1);
	assert_int_equal(err.kind, ERR_PROTOCOL);
	assert_int_equal(tar_first_file(span_of("", 0), &content, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
}

/* What GNU tar makes of it. */
static void an_archive_is_one_for_tar(void **state)
{
	static const char *const argv[] = { "tar", "-tvf", "-", NULL };
	cleanup(buf_finish) struct buf tar = BUF_INIT(1 << 20);
	cleanup(child_finish) struct child child = { 0 };
	struct child_plan plan = { .argv = argv, .timeout_ms = 10000 };
	char name[300] = "dir/", target[200] = "/", whole[101] = "dir/";

	(void)state;
	memset(name + 4, 'x', 250);
	memset(target + 1, 'y', 150);
	memset(whole + 4, 'z', 96);
	assert_true(tar_add(&tar, &(struct tar_file){ .name = "dir/", .mode = 0700 }));
	assert_true(tar_add(&tar, &(struct tar_file){ .name = "dir/file",
						      .mode = 0600,
						      .modified = UINT64_C(1) << 32,
						      .content = span_of_str("hello") }));
	assert_true(tar_add(&tar, &(struct tar_file){ .name = name, .mode = 0555 }));
	assert_true(tar_add(&tar, &(struct tar_file){ .name = whole, .mode = 0555 }));
	assert_true(tar_add(&tar, &(struct tar_file){ .name = "dir/link", .link = target }));
	assert_true(tar_end(&tar));
	assert_int_equal(buf_len(&tar) % TAR_BLOCK, 0);
	plan.input = buf_span(&tar);
	assert_int_equal(child_run(&plan, &child, NULL), 0);
	assert_int_equal(child.status, 0);
	assert_non_null(strstr(buf_str(&child.output), "drwx------ 0/0"));
	assert_non_null(strstr(buf_str(&child.output), "-rw------- 0/0"));
	assert_non_null(strstr(buf_str(&child.output), "2106-"));
	assert_non_null(strstr(buf_str(&child.output), name));
	assert_non_null(strstr(buf_str(&child.output), whole));
	assert_non_null(strstr(buf_str(&child.output), target));
}

static void what_a_header_cannot_hold_is_refused(void **state)
{
	cleanup(buf_finish) struct buf tar = BUF_INIT(1 << 20), small = BUF_INIT(600);

	(void)state;
	assert_false(tar_add(&tar, &(struct tar_file){ .name = "" }));
	assert_false(tar_add(&tar, &(struct tar_file){ .name = "a", .uid = UINT32_MAX }));
	assert_false(tar_add(&tar, &(struct tar_file){ .name = "a", .modified = UINT64_MAX }));
	assert_false(
		tar_add(&small, &(struct tar_file){ .name = "a", .content = span_of_str("b") }));
}

/* Only POSIX' headers have the beginning of a long name in a field of its own. */
static void a_prefix_is_one_where_the_format_has_it(void **state)
{
	cleanup(buf_finish) struct buf tar = BUF_INIT(1 << 20);
	struct tar_entry entry;
	struct span rest;
	struct err err;

	(void)state;
	assert_true(tar_add(&tar, &(struct tar_file){ .name = "name" }));
	for (int posix = 0; posix < 2; posix++) {
		char *header = (char *)tar.mem + tar.head;
		unsigned int sum = 8 * ' ';

		memcpy(header + 257, posix ? "ustar\00000" : "ustar  ", 8);
		memcpy(header + 345, "below", 5);
		for (size_t i = 0; i < TAR_BLOCK; i++)
			sum += i >= 148 && i < 156 ? 0 : (unsigned char)header[i];
		snprintf(header + 148, 8, "%06o", sum);
		rest = buf_span(&tar);
		assert_int_equal(tar_next(&rest, &entry, &err), 1);
		assert_string_equal(entry.name, posix ? "below/name" : "name");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(archives_are_read_as_they_were_written),
		cmocka_unit_test(an_archive_is_one_for_tar),
		cmocka_unit_test(what_a_header_cannot_hold_is_refused),
		cmocka_unit_test(a_prefix_is_one_where_the_format_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
