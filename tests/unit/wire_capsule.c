/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "tunnel/wire/capsule.h"
#include "tunnel/wire/varint.h"

#define TYPE_STREAM 0x40
#define TYPE_WHOLE 0x41
#define TYPE_REFUSED 0x42
#define VALUE_MAX 100

/* What came out of the reader, as text: "stream:" pieces are joined, "[whole]" in brackets. */
struct seen {
	struct buf text;
};

static bool is_stream(void *user, uint64_t type)
{
	(void)user;
	return type == TYPE_STREAM;
}

static void piece(void *user, uint64_t type, struct span bytes)
{
	struct seen *seen = user;

	assert_int_equal(type, TYPE_STREAM);
	assert_true(buf_append_span(&seen->text, bytes));
}

static int whole(void *user, uint64_t type, struct span value, struct err *err)
{
	struct seen *seen = user;

	if (type == TYPE_REFUSED)
		return err_set(err, ERR_PROTOCOL, "refused");
	assert_int_equal(type, TYPE_WHOLE);
	assert_true(buf_append_u8(&seen->text, '['));
	assert_true(buf_append_span(&seen->text, value));
	assert_true(buf_append_u8(&seen->text, ']'));
	return 0;
}

static const struct capsule_ops ops = { .is_stream = is_stream, .piece = piece, .whole = whole };

static int feed_in_steps(struct span input, size_t step, const char *expected, bool boundary)
{
	struct seen seen = { .text = BUF_INIT(4096) };
	struct capsule_reader r;
	struct err err = { 0 };
	int result = 0;

	capsule_reader_init(&r, &ops, &seen, VALUE_MAX);
	while (input.len > 0 && result == 0)
		result = capsule_reader_feed(&r, span_cut(&input, MIN(step, input.len)), &err);
	if (result == 0)
		assert_int_equal(capsule_reader_at_boundary(&r), boundary);
	if (expected)
		assert_string_equal(buf_str(&seen.text), expected);
	capsule_reader_finish(&r);
	buf_finish(&seen.text);
	return result;
}

static void make_session(struct buf *b)
{
	assert_true(capsule_append(b, TYPE_WHOLE, span_of_str("start")));
	assert_true(capsule_append(b, TYPE_STREAM, span_of_str("some bytes, ")));
	assert_true(capsule_append(b, TYPE_STREAM, span_of_str("")));
	assert_true(capsule_append(b, TYPE_STREAM, span_of_str("and more")));
	assert_true(capsule_append(b, TYPE_WHOLE, span_of_str("")));
	assert_true(capsule_append(b, TYPE_WHOLE, span_of_str("end")));
}

static void however_the_bytes_are_split_the_same_capsules_come_out(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(4096);

	(void)state;
	make_session(&b);
	for (size_t step = 1; step <= buf_len(&b); step++)
		assert_int_equal(feed_in_steps(buf_span(&b), step,
					       "[start]some bytes, and more[][end]", true),
				 0);
}

static void a_stream_that_is_cut_short_is_known_not_to_be_at_a_boundary(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(4096);

	(void)state;
	assert_true(capsule_append(&b, TYPE_WHOLE, span_of_str("value")));
	for (size_t len = 1; len < buf_len(&b); len++)
		assert_int_equal(feed_in_steps(span_of(buf_span(&b).ptr, len), len, "", false), 0);
	assert_int_equal(feed_in_steps(span_of(NULL, 0), 1, "", true), 0);
}

static void a_value_of_the_limit_is_taken_and_one_byte_more_is_refused(void **state)
{
	static const uint8_t bytes[VALUE_MAX + 1];
	cleanup(buf_finish) struct buf fits = BUF_INIT(4096);
	cleanup(buf_finish) struct buf too_long = BUF_INIT(4096);

	(void)state;
	assert_true(capsule_append(&fits, TYPE_WHOLE, span_of(bytes, VALUE_MAX)));
	assert_true(capsule_append(&too_long, TYPE_WHOLE, span_of(bytes, VALUE_MAX + 1)));
	assert_int_equal(feed_in_steps(buf_span(&fits), 7, NULL, true), 0);
	assert_int_equal(feed_in_steps(buf_span(&too_long), 7, NULL, true), -1);
}

static void the_length_is_refused_before_any_of_the_value_arrives(void **state)
{
	uint8_t head[CAPSULE_HEAD_MAX];
	size_t len = capsule_put_head(TYPE_WHOLE, VARINT_MAX, head);

	(void)state;
	assert_int_equal(feed_in_steps(span_of(head, len), len, "", true), -1);
}

static void a_stream_value_may_be_of_any_length(void **state)
{
	uint8_t head[CAPSULE_HEAD_MAX + 5];
	size_t len = capsule_put_head(TYPE_STREAM, VARINT_MAX, head);

	(void)state;
	memcpy(head + len, "hello", 5);
	assert_int_equal(feed_in_steps(span_of(head, len + 5), 3, "hello", false), 0);
}

static void an_error_of_the_callback_ends_the_feed(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(4096);

	(void)state;
	assert_true(capsule_append(&b, TYPE_REFUSED, span_of_str("x")));
	assert_true(capsule_append(&b, TYPE_WHOLE, span_of_str("never seen")));
	assert_int_equal(feed_in_steps(buf_span(&b), 64, "", true), -1);
}

static void appending_is_all_or_nothing(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(6);

	(void)state;
	assert_false(capsule_append(&b, TYPE_WHOLE, span_of_str("12345")));
	assert_int_equal(buf_len(&b), 0);
	assert_true(capsule_append(&b, TYPE_WHOLE, span_of_str("123")));
	assert_int_equal(buf_len(&b), 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(however_the_bytes_are_split_the_same_capsules_come_out),
		cmocka_unit_test(a_stream_that_is_cut_short_is_known_not_to_be_at_a_boundary),
		cmocka_unit_test(a_value_of_the_limit_is_taken_and_one_byte_more_is_refused),
		cmocka_unit_test(the_length_is_refused_before_any_of_the_value_arrives),
		cmocka_unit_test(a_stream_value_may_be_of_any_length),
		cmocka_unit_test(an_error_of_the_callback_ends_the_feed),
		cmocka_unit_test(appending_is_all_or_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
