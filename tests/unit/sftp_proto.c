/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "init/base/sftp/proto.h"

static const struct sftp_request full = {
	.id = 0x01020304,
	.path = { (const uint8_t *)"a\nb\xff", 4 },
	.path2 = { (const uint8_t *)"", 0 },
	.handle = { (const uint8_t *)"\0\0\0\1\0\0\0\2", 8 },
	.handle2 = { (const uint8_t *)"k", 1 },
	.bytes = { (const uint8_t *)"\0bytes", 6 },
	.text = { (const uint8_t *)"sha256", 6 },
	.users = { (const uint8_t *)"\0\0\0\7", 4 },
	.groups = { (const uint8_t *)"", 0 },
	.offset = UINT64_C(0x8070605040302010),
	.offset2 = 5,
	.length = 4096,
	.flags = SFTP_OPEN_READ | SFTP_OPEN_EXCLUSIVE,
	.block = 256,
	.attrs = { SFTP_ATTR_SIZE | SFTP_ATTR_OWNER | SFTP_ATTR_MODE | SFTP_ATTR_TIMES,
		   UINT64_C(1) << 40, 1, 2, 0100644, UINT32_MAX, 4 },
};

static struct span packet_of(const struct buf *b)
{
	struct span bytes = buf_span(b), packet;

	assert_int_equal(sftp_packet_cut(&bytes, &packet), 1);
	assert_int_equal(bytes.len, 0);
	return packet;
}

static void every_request_survives_the_wire(void **state)
{
	(void)state;
	for (int op = 0; op < SFTP_OPS; op++) {
		cleanup(buf_finish) struct buf b = BUF_INIT(4096), again = BUF_INIT(4096);
		struct sftp_request request = full, parsed;

		request.op = (enum sftp_op)op;
		assert_true(sftp_request_append(&b, &request));
		assert_int_equal(sftp_request_parse(packet_of(&b), &parsed, NULL), 0);
		assert_int_equal(parsed.op, op);
		assert_int_equal(parsed.id, full.id);
		/* Fields that the request does not have are not compared: they are not sent. */
		assert_true(sftp_request_append(&again, &parsed));
		assert_true(span_equal(buf_span(&b), buf_span(&again)));
	}
}

static void an_open_is_what_the_draft_says(void **state)
{
	static const uint8_t expected[] = { 0,	 0, 0, 22, 3,	 0, 0, 0, 9, 0, 0, 0, 1,
					    'f', 0, 0, 0,  0x1a, 0, 0, 0, 4, 0, 0, 1, 0xa4 };
	cleanup(buf_finish) struct buf b = BUF_INIT(64);
	const struct sftp_request open = {
		.op = SFTP_OPEN,
		.id = 9,
		.path = span_of_str("f"),
		.flags = SFTP_OPEN_WRITE | SFTP_OPEN_CREATE | SFTP_OPEN_TRUNCATE,
		.attrs = { .flags = SFTP_ATTR_MODE, .mode = 0644 },
	};

	(void)state;
	assert_true(sftp_request_append(&b, &open));
	assert_int_equal(buf_len(&b), sizeof(expected));
	assert_memory_equal(buf_span(&b).ptr, expected, sizeof(expected));
}

static void a_request_that_is_cut_short_or_too_long_is_refused_but_has_its_id(void **state)
{
	(void)state;
	for (int op = 0; op < SFTP_OPS; op++) {
		cleanup(buf_finish) struct buf b = BUF_INIT(4096);
		struct sftp_request request = full, parsed;
		struct span packet;
		struct err err = { 0 };

		request.op = (enum sftp_op)op;
		assert_true(sftp_request_append(&b, &request) && buf_append_u8(&b, 0));
		packet = span_of(buf_span(&b).ptr + SFTP_HEAD_LEN, buf_len(&b) - SFTP_HEAD_LEN);
		for (size_t len = 5; len <= packet.len; len++) {
			if (len == packet.len - 1)
				continue; /* which is the request itself */
			parsed = (struct sftp_request){ 0 };
			assert_int_equal(
				sftp_request_parse(span_of(packet.ptr, len), &parsed, &err), -1);
			assert_int_not_equal(err.kind, ERR_PROTOCOL);
			assert_int_equal(parsed.id, full.id);
		}
		assert_int_equal(sftp_request_parse(span_of(packet.ptr, 4), &parsed, &err), -1);
		assert_int_equal(err.kind, ERR_PROTOCOL);
	}
}

static void unknown_types_and_extensions_are_told_apart_from_broken_ones(void **state)
{
	struct sftp_request request;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(sftp_request_parse(span_of("\x63\0\0\0\7", 5), &request, &err), -1);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
	assert_int_equal(request.id, 7);
	assert_int_equal(sftp_request_parse(span_of("\xc8\0\0\0\7\0\0\0\1x", 10), &request, &err),
			 -1);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
}

static void extended_attributes_are_skipped(void **state)
{
	static const char packet[] = "\x09\0\0\0\1\0\0\0\1f\x80\0\0\0"
				     "\0\0\0\1\0\0\0\1n\0\0\0\1v";
	struct sftp_request request;

	(void)state;
	assert_int_equal(sftp_request_parse(span_of(packet, sizeof(packet) - 1), &request, NULL),
			 0);
	assert_int_equal(request.attrs.flags, 0);
}

static void a_packet_waits_until_it_is_all_there(void **state)
{
	struct span packet, bytes = span_of("\0\0\0\2ab", 6), rest;

	(void)state;
	for (size_t len = 0; len < bytes.len; len++) {
		rest = span_of(bytes.ptr, len);
		assert_int_equal(sftp_packet_cut(&rest, &packet), 0);
		assert_int_equal(rest.len, len);
	}
	assert_int_equal(sftp_packet_cut(&bytes, &packet), 1);
	assert_true(span_equal_str(packet, "ab"));
}

static void packets_that_are_empty_or_too_large_are_refused_by_their_length(void **state)
{
	struct span packet, empty = span_of("\0\0\0\0", 4), large = span_of("\0\4\0\1", 4),
			    largest = span_of("\0\4\0\0", 4);

	(void)state;
	assert_int_equal(sftp_packet_cut(&empty, &packet), -1);
	assert_int_equal(sftp_packet_cut(&large, &packet), -1);
	assert_int_equal(sftp_packet_cut(&largest, &packet), 0);
}

static void what_does_not_fit_leaves_the_buffer_alone(void **state)
{
	struct sftp_request request = full;

	(void)state;
	request.op = SFTP_WRITE;
	for (size_t max = 0; max < 39; max++) {
		cleanup(buf_finish) struct buf b = BUF_INIT(max);

		assert_false(sftp_request_append(&b, &request));
		assert_int_equal(buf_len(&b), 0);
	}
}

static void answers_are_read_by_their_type(void **state)
{
	static const char status[] = "\x65\0\0\0\1\0\0\0\4\0\0\0\4oops\0\0\0\0";
	static const char bare_status[] = "\x65\0\0\0\1\0\0\0\1";
	static const char names[] = "\x68\0\0\0\1\0\0\0\2\0\0\0\1a\0\0\0\2la\0\0\0\0"
				    "\0\0\0\1b\0\0\0\2lb\0\0\0\4\0\0\1\x24";
	struct sftp_answer answer;
	struct sftp_name name;

	(void)state;
	assert_int_equal(sftp_answer_parse(span_of(status, sizeof(status) - 1), &answer, NULL), 0);
	assert_int_equal(answer.code, SFTP_STATUS_FAILURE);
	assert_true(span_equal_str(answer.text, "oops"));
	assert_int_equal(
		sftp_answer_parse(span_of(bare_status, sizeof(bare_status) - 1), &answer, NULL), 0);
	assert_int_equal(answer.code, SFTP_STATUS_EOF);
	assert_int_equal(sftp_answer_parse(span_of(names, sizeof(names) - 1), &answer, NULL), 0);
	assert_int_equal(answer.count, 2);
	assert_true(sftp_name_cut(&answer.body, &name) && span_equal_str(name.name, "a"));
	assert_true(sftp_name_cut(&answer.body, &name) && span_equal_str(name.longname, "lb"));
	assert_int_equal(name.attrs.mode, 0444);
	assert_false(sftp_name_cut(&answer.body, &name));
	/* One name fewer than it says, and one byte more. */
	assert_int_equal(sftp_answer_parse(span_of(names, sizeof(names) - 2), &answer, NULL), -1);
	assert_int_equal(sftp_answer_parse(span_of(names, sizeof(names)), &answer, NULL), -1);
}

static void times_that_the_protocol_cannot_say_become_the_nearest(void **state)
{
	struct stat st = { .st_mtime = -5, .st_atime = (time_t)UINT32_MAX + 1 };
	struct sftp_attrs attrs;

	(void)state;
	sftp_attrs_of_stat(&st, &attrs);
	assert_int_equal(attrs.mtime, 0);
	assert_int_equal(attrs.atime, UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_request_survives_the_wire),
		cmocka_unit_test(an_open_is_what_the_draft_says),
		cmocka_unit_test(a_request_that_is_cut_short_or_too_long_is_refused_but_has_its_id),
		cmocka_unit_test(unknown_types_and_extensions_are_told_apart_from_broken_ones),
		cmocka_unit_test(extended_attributes_are_skipped),
		cmocka_unit_test(a_packet_waits_until_it_is_all_there),
		cmocka_unit_test(packets_that_are_empty_or_too_large_are_refused_by_their_length),
		cmocka_unit_test(what_does_not_fit_leaves_the_buffer_alone),
		cmocka_unit_test(answers_are_read_by_their_type),
		cmocka_unit_test(times_that_the_protocol_cannot_say_become_the_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
