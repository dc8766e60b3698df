/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "init/format.h"

#define TEXT_MAX 512

struct text_sink {
	struct format_sink sink;
	char text[TEXT_MAX];
	size_t len;
};

static void put(struct format_sink *sink, const char *bytes, size_t len)
{
	struct text_sink *s = container_of(sink, struct text_sink, sink);

	assert_true(len > 0 && s->len + len < TEXT_MAX);
	memcpy(s->text + s->len, bytes, len);
	s->len += len;
}

/* Both printf()s are given the same, and have to agree. */
static void attr_printf(1, 2) compare(const char *fmt, ...)
{
	struct text_sink ours = { .sink = { put } };
	char theirs[TEXT_MAX];
	va_list args;
	size_t len;

	va_start(args, fmt);
	len = format_text(&ours.sink, fmt, args);
	va_end(args);
	va_start(args, fmt);
	vsnprintf(theirs, sizeof(theirs), fmt, args);
	va_end(args);
	assert_string_equal(ours.text, theirs);
	assert_int_equal(len, strlen(theirs));
}

static void numbers_are_as_the_librarys(void **state)
{
	static const long long values[] = { 0,	 1,	  -1,	   9,	     10,	-99,
					    100, INT_MAX, INT_MIN, UINT_MAX, LLONG_MAX, LLONG_MIN };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		long long v = values[i];

		compare("%d %i %u %x %c", (int)v, (int)v, (unsigned int)v, (unsigned int)v, 'a');
		compare("%ld %lu %lx %lld %llu %llx", (long)v, (unsigned long)v, (unsigned long)v,
			v, (unsigned long long)v, (unsigned long long)v);
		compare("%zu %zd", (size_t)v, (ssize_t)v);
		compare("[%3d] [%03d] [%-3d] [%25lld] [%025lld] [%-25lld]", (int)v, (int)v, (int)v,
			v, v, v);
		compare("[%02x] [%04x] [%06ld] [%*d] [%-*d]", (unsigned int)v, (unsigned int)v,
			(long)v, 7, (int)v, 7, (int)v);
		compare("[%*d] [%-12u]", -7, (int)v, (unsigned int)v);
	}
}

static void strings_are_as_the_librarys(void **state)
{
	static const char *const values[] = { "", "a", "some words", "100 %" };
	static const char unterminated[] = { 'a', 'b', 'c' };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		const char *v = values[i];

		compare("%s", v);
		compare("[%s] [%12s] [%-12s] [%.3s] [%.0s] [%12.3s]", v, v, v, v, v, v);
		compare("[%*s] [%-*s] [%.*s] [%.*s]", 5, v, 5, v, 2, v, -1, v);
	}
	compare("%.*s", 3, unterminated);
	compare("%s%%%c%5c%-5c|", "", 'x', 'y', 'z');
}

static size_t call(struct format_sink *sink, const char *fmt, ...)
{
	va_list args;
	size_t len;

	va_start(args, fmt);
	len = format_text(sink, fmt, args);
	va_end(args);
	return len;
}

static void what_is_not_known_stands_as_it_is(void **state)
{
	static const char *const unknown[] = { "%f", "%", "%5", "%-*", "%q and more" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
		struct text_sink s = { .sink = { put } };

		assert_int_equal(call(&s.sink, unknown[i], 1), strlen(unknown[i]));
		assert_string_equal(s.text, unknown[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_as_the_librarys),
		cmocka_unit_test(strings_are_as_the_librarys),
		cmocka_unit_test(what_is_not_known_stands_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
