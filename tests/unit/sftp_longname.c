/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init/base/cleanup.h"
#include "tunnel/sftp/longname.h"

#define NOW 1700000000 /* 2023-11-14 22:13:20 UTC */

static char passwd[] = "/tmp/sftp_longname.XXXXXX";

static struct names *names_new(void)
{
	struct names *names = calloc(1, sizeof(*names));

	names->passwd = passwd;
	names->group = "/nonexistent";
	return names;
}

static int set_up(void **state)
{
	static const char text[] = "root:x:0:0::/root:/bin/sh\n"
				   "broken line\n"
				   "ada:x:1000:1000::/srv/ada:/bin/sh\n";
	int fd = mkstemp(passwd);

	(void)state;
	setenv("TZ", "UTC", 1);
	return write(fd, text, sizeof(text) - 1) == sizeof(text) - 1 ? close(fd) : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(passwd);
}

static void assert_line(const struct stat *st, const char *expected)
{
	cleanup_free struct names *names = names_new();
	char line[LONGNAME_HEAD_MAX];

	assert_int_equal(longname_head(names, st, NOW, line), strlen(expected));
	assert_string_equal(line, expected);
}

static void a_line_is_that_of_ls(void **state)
{
	(void)state;
	assert_line(&(struct stat){ .st_mode = S_IFREG | 04751,
				    .st_nlink = 2,
				    .st_uid = 1000,
				    .st_gid = 77,
				    .st_size = 1234,
				    .st_mtime = NOW - 60 },
		    "-rwsr-x--x    2 ada      77           1234 Nov 14 22:12 ");
	assert_line(&(struct stat){ .st_mode = S_IFDIR | 01776,
				    .st_nlink = 1,
				    .st_uid = 4294967294U,
				    .st_size = INT64_MAX,
				    .st_mtime = NOW - 300 * 86400 },
		    "drwxrwxrwT    1 4294967294 0        9223372036854775807 Jan 18  2023 ");
}

static void a_time_in_the_future_or_out_of_range_is_shown_with_its_year(void **state)
{
	(void)state;
	assert_line(&(struct stat){ .st_mode = S_IFLNK | 0777, .st_mtime = NOW + 86400 },
		    "lrwxrwxrwx    0 root     0               0 Nov 15  2023 ");
	assert_line(&(struct stat){ .st_mode = 0, .st_mtime = INT64_MAX },
		    "?---------    0 root     0               0 ? ");
}

static void names_are_looked_up_once_and_their_absence_too(void **state)
{
	cleanup_free struct names *names = names_new();
	cleanup_free char *home = names_home(names, "ada");

	(void)state;
	assert_string_equal(home, "/srv/ada");
	assert_null(names_home(names, "nobody-here"));
	assert_string_equal(names_user(names, 1000), "ada");
	assert_string_equal(names_user(names, 1), "");
	assert_string_equal(names_group(names, 0), "");
	names->passwd = "/nonexistent";
	assert_string_equal(names_user(names, 1000), "ada");
	for (uint32_t id = 5000; id < 5000 + 2 * NAMES_KEPT; id++)
		assert_string_equal(names_user(names, id), "");
	assert_int_equal(names->users.len, NAMES_KEPT);
	assert_string_equal(names_user(names, 1000), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_that_of_ls),
		cmocka_unit_test(a_time_in_the_future_or_out_of_range_is_shown_with_its_year),
		cmocka_unit_test(names_are_looked_up_once_and_their_absence_too),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
