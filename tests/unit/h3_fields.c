/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "tunnel/h3/fields.h"

static int add(struct h3_fields *fields, const char *name, const char *value, struct err *err)
{
	return h3_fields_add(fields, span_of_str(name), span_of_str(value), err);
}

static void a_plain_connect_has_an_authority_and_nothing_else(void **state)
{
	cleanup(h3_fields_finish) struct h3_fields fields = { 0 };
	struct h3_request request;
	struct err err;

	(void)state;
	assert_int_equal(add(&fields, ":method", "CONNECT", &err), 0);
	assert_int_equal(h3_fields_request(&fields, &request, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(add(&fields, ":authority", "127.0.0.1:80", &err), 0);
	assert_int_equal(h3_fields_request(&fields, &request, &err), 0);
	assert_string_equal(request.method, "CONNECT");
	assert_string_equal(request.authority, "127.0.0.1:80");
	assert_null(request.protocol);
	assert_null(request.path);
	assert_int_equal(add(&fields, ":path", "/x", &err), 0);
	assert_int_equal(h3_fields_request(&fields, &request, &err), -1);
}

static void an_extended_connect_has_a_protocol_and_a_path(void **state)
{
	cleanup(h3_fields_finish) struct h3_fields fields = { 0 };
	struct h3_request request;
	struct err err;

	(void)state;
	assert_int_equal(add(&fields, ":method", "CONNECT", &err), 0);
	assert_int_equal(add(&fields, ":protocol", "berth-process", &err), 0);
	assert_int_equal(h3_fields_request(&fields, &request, &err), -1);
	assert_int_equal(add(&fields, ":path", "/process", &err), 0);
	assert_int_equal(add(&fields, ":scheme", "https", &err), 0);
	assert_int_equal(add(&fields, "accept", "*/*", &err), 0);
	assert_int_equal(h3_fields_request(&fields, &request, &err), 0);
	assert_string_equal(request.protocol, "berth-process");
	assert_string_equal(request.path, "/process");
}

static void a_protocol_is_for_connect_only(void **state)
{
	const struct h3_request request = {
		.method = "GET", .protocol = "x", .authority = "job", .path = "/"
	};
	struct h3_fields fields;
	struct err err;

	(void)state;
	assert_int_equal(h3_fields_from_request(&request, &fields, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

static void a_field_that_appears_twice_is_refused(void **state)
{
	cleanup(h3_fields_finish) struct h3_fields fields = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(add(&fields, ":path", "/a", &err), 0);
	assert_int_equal(add(&fields, ":path", "/b", &err), -1);
	assert_string_equal(err.text, "field ':path' appears twice");
	assert_string_equal(fields.path, "/a");
}

static void control_characters_are_refused(void **state)
{
	cleanup(h3_fields_finish) struct h3_fields fields = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(h3_fields_add(&fields, span_of_str(":path"), span_of("/a\0b", 4), &err),
			 -1);
	assert_int_equal(add(&fields, ":path", "/a\nb", &err), -1);
	assert_int_equal(add(&fields, ":authority", "a\x7f", &err), -1);
	assert_null(fields.path);
	/* What is not ASCII is a name like any other: paths are bytes. */
	assert_int_equal(add(&fields, ":path", "/\xc3\xa4", &err), 0);
}

static void too_many_or_too_large_fields_are_refused(void **state)
{
	cleanup(h3_fields_finish) struct h3_fields many = { 0 }, large = { 0 };
	static char value[H3_FIELDS_BYTES_MAX / 2];
	struct err err;

	(void)state;
	for (int i = 0; i < H3_FIELDS_MAX; i++)
		assert_int_equal(add(&many, "x", "y", &err), 0);
	assert_int_equal(add(&many, "x", "y", &err), -1);
	assert_int_equal(err.kind, ERR_LIMIT);
	memset(value, 'v', sizeof(value) - 1);
	assert_int_equal(add(&large, "x", value, &err), 0);
	assert_int_equal(add(&large, ":path", value, &err), -1);
	assert_int_equal(err.kind, ERR_LIMIT);
	assert_null(large.path);
}

static void a_status_is_three_digits(void **state)
{
	static const char *const bad[] = { "", "20", "2000", "abc", "2x0", "099", "-10" };
	cleanup(h3_fields_finish) struct h3_fields fields = { 0 };
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(add(&fields, ":status", bad[i], &err), -1);
	assert_int_equal(fields.status, 0);
	assert_int_equal(add(&fields, ":status", "403", &err), 0);
	assert_int_equal(fields.status, 403);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_connect_has_an_authority_and_nothing_else),
		cmocka_unit_test(an_extended_connect_has_a_protocol_and_a_path),
		cmocka_unit_test(a_protocol_is_for_connect_only),
		cmocka_unit_test(a_field_that_appears_twice_is_refused),
		cmocka_unit_test(control_characters_are_refused),
		cmocka_unit_test(too_many_or_too_large_fields_are_refused),
		cmocka_unit_test(a_status_is_three_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
