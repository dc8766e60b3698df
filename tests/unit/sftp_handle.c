/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "init/base/fd.h"
#include "tunnel/sftp/handle.h"

static struct span add(struct handles *handles, uint8_t name[HANDLE_LEN])
{
	int fd = fd_open("/dev/null", O_RDONLY);

	assert_true(fd >= 0);
	handles_name(handles, handles_add(handles, fd, NULL), name);
	return span_of(name, HANDLE_LEN);
}

static void a_handle_is_found_until_it_is_removed(void **state)
{
	struct handles handles = { .max = 4 };
	uint8_t name[HANDLE_LEN];
	struct span handle = add(&handles, name);
	int fd = handles_find(&handles, handle)->fd;

	(void)state;
	assert_int_equal(handles_remove(&handles, handles_find(&handles, handle)), 0);
	assert_null(handles_find(&handles, handle));
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	handles_finish(&handles);
}

static void a_slot_that_is_used_again_has_another_name(void **state)
{
	struct handles handles = { .max = 1 };
	uint8_t first[HANDLE_LEN], second[HANDLE_LEN];

	(void)state;
	add(&handles, first);
	handles_remove(&handles, handles_find(&handles, span_of(first, HANDLE_LEN)));
	add(&handles, second);
	assert_int_equal(handles.len, 1);
	assert_memory_not_equal(first, second, HANDLE_LEN);
	assert_null(handles_find(&handles, span_of(first, HANDLE_LEN)));
	assert_non_null(handles_find(&handles, span_of(second, HANDLE_LEN)));
	handles_finish(&handles);
}

static void there_are_no_more_than_allowed_and_slots_come_back(void **state)
{
	struct handles handles = { .max = 3 };
	uint8_t names[3][HANDLE_LEN];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_false(handles_are_full(&handles));
		add(&handles, names[i]);
	}
	assert_true(handles_are_full(&handles));
	for (size_t i = 0; i < 3; i++)
		handles_remove(&handles, handles_find(&handles, span_of(names[i], HANDLE_LEN)));
	for (size_t i = 0; i < 3; i++)
		add(&handles, names[i]);
	assert_true(handles_are_full(&handles));
	assert_int_equal(handles.len, 3);
	handles_finish(&handles);
}

static void names_that_were_never_given_are_not_found(void **state)
{
	struct handles handles = { .max = 2 };
	uint8_t name[HANDLE_LEN];

	(void)state;
	add(&handles, name);
	assert_null(handles_find(&handles, span_of("", 0)));
	assert_null(handles_find(&handles, span_of(name, HANDLE_LEN - 1)));
	assert_null(handles_find(&handles, span_of("\0\0\0\1\0\0\0\0", 8)));
	assert_null(handles_find(&handles, span_of("\xff\xff\xff\xff\0\0\0\0", 8)));
	assert_null(handles_find(&handles, span_of("\0\0\0\0\0\0\0\1", 8)));
	assert_non_null(handles_find(&handles, span_of("\0\0\0\0\0\0\0\0", 8)));
	handles_finish(&handles);
}

static void everything_is_closed_at_the_end(void **state)
{
	struct handles handles = { .max = 2 };
	uint8_t name[HANDLE_LEN];
	DIR *dir = opendir("/");
	int file, directory = dirfd(dir);

	(void)state;
	file = handles_find(&handles, add(&handles, name))->fd;
	assert_ptr_equal(handles_add(&handles, directory, dir)->dir, dir);
	handles_finish(&handles);
	assert_int_equal(fcntl(file, F_GETFD), -1);
	assert_int_equal(fcntl(directory, F_GETFD), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handle_is_found_until_it_is_removed),
		cmocka_unit_test(a_slot_that_is_used_again_has_another_name),
		cmocka_unit_test(there_are_no_more_than_allowed_and_slots_come_back),
		cmocka_unit_test(names_that_were_never_given_are_not_found),
		cmocka_unit_test(everything_is_closed_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
