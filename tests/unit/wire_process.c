/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "tunnel/wire/capsule.h"
#include "tunnel/wire/process.h"
#include "tunnel/wire/varint.h"

static struct span value_of(const struct buf *b, uint64_t expected_type)
{
	struct span s = buf_span(b);
	uint64_t type = 0, len = 0;

	assert_true(varint_read(&s, &type) && varint_read(&s, &len));
	assert_int_equal(type, expected_type);
	assert_int_equal(len, s.len);
	return s;
}

static void fill(struct process_start *start)
{
	*start = (struct process_start){
		.kind = PROCESS_EXEC,
		.command = span_of_str("echo 'two words'"),
		.env_len = 2,
		.env = { { span_of_str("LANG"), span_of_str("C.UTF-8") },
			 { span_of_str("EMPTY"), span_of_str("") } },
		.has_pty = true,
		.term = span_of_str("xterm-256color"),
		.modes = span_of("\x35\x00\x00\x00\x01\x00", 6),
		.window = { .columns = 120, .rows = 40, .width_px = 70000, .height_px = 0 },
	};
}

static void a_start_survives_the_wire(void **state)
{
	static struct process_start start, again;
	cleanup(buf_finish) struct buf b = BUF_INIT(4096);

	(void)state;
	fill(&start);
	assert_true(process_start_format(&start, &b));
	assert_int_equal(process_start_parse(value_of(&b, PROCESS_START), &again, NULL), 0);
	assert_int_equal(again.kind, PROCESS_EXEC);
	assert_true(span_equal(again.command, start.command));
	assert_int_equal(again.env_len, 2);
	assert_true(span_equal_str(again.env[0].name, "LANG"));
	assert_true(span_equal_str(again.env[0].value, "C.UTF-8"));
	assert_true(span_equal_str(again.env[1].name, "EMPTY"));
	assert_int_equal(again.env[1].value.len, 0);
	assert_true(again.has_pty);
	assert_true(span_equal(again.term, start.term));
	assert_true(span_equal(again.modes, start.modes));
	assert_memory_equal(&again.window, &start.window, sizeof(start.window));
}

static void an_argument_list_survives_the_wire(void **state)
{
	static struct process_start start, again;
	cleanup(buf_finish) struct buf b = BUF_INIT(4096);

	(void)state;
	start.kind = PROCESS_ARGV;
	start.command = span_of("printf\0%s|\0\0two words\0", 22);
	start.directory = span_of_str("/tmp");
	assert_true(process_start_format(&start, &b));
	assert_int_equal(process_start_parse(value_of(&b, PROCESS_START), &again, NULL), 0);
	assert_int_equal(again.kind, PROCESS_ARGV);
	assert_true(span_equal(again.command, start.command));
	assert_true(span_equal_str(again.directory, "/tmp"));
	assert_false(again.has_pty);
}

static void arguments_that_are_no_list_are_refused(void **state)
{
	static const struct span wrong[] = {
		{ (const uint8_t *)"", 0 },	    { (const uint8_t *)"\0", 1 }, /* no program */
		{ (const uint8_t *)"\0a\0", 3 },				  /* nor here */
		{ (const uint8_t *)"true", 4 },					  /* not ended */
		{ (const uint8_t *)"true\0-x", 7 }, /* the last is not */
	};
	static struct process_start start, again;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		cleanup(buf_finish) struct buf b = BUF_INIT(4096);
		struct err err = { 0 };

		start = (struct process_start){ .kind = PROCESS_ARGV, .command = wrong[i] };
		assert_true(process_start_format(&start, &b));
		assert_int_equal(process_start_parse(value_of(&b, PROCESS_START), &again, &err),
				 -1);
		assert_int_equal(err.kind, ERR_PROTOCOL);
	}
}

static void a_start_that_is_cut_short_anywhere_is_refused(void **state)
{
	static struct process_start start, again;
	cleanup(buf_finish) struct buf b = BUF_INIT(4096);
	struct span value;

	(void)state;
	fill(&start);
	assert_true(process_start_format(&start, &b));
	value = value_of(&b, PROCESS_START);
	for (size_t len = 0; len < value.len; len++) {
		struct err err = { 0 };

		assert_int_equal(process_start_parse(span_of(value.ptr, len), &again, &err), -1);
		assert_int_equal(err.kind, ERR_PROTOCOL);
	}
}

static void trailing_bytes_are_refused(void **state)
{
	static struct process_start start, again;
	cleanup(buf_finish) struct buf b = BUF_INIT(4096);
	struct process_window window;
	struct process_exit end;
	struct err err = { 0 };

	(void)state;
	fill(&start);
	assert_true(process_start_format(&start, &b));
	assert_true(buf_append_u8(&b, 0));
	/* The capsule's head (4 bytes: the value has more than 63) is not part of the value. */
	assert_int_equal(
		process_start_parse(span_of(buf_span(&b).ptr + 4, buf_len(&b) - 4), &again, &err),
		-1);
	assert_string_equal(err.text, "START: 1 bytes too many");
	assert_int_equal(process_window_parse(span_of("\x28\x18\0\0\0", 5), &window, &err), -1);
	assert_int_equal(process_exit_parse(PROCESS_EXIT, span_of("\0\0", 2), &end, &err), -1);
}

static void values_beyond_their_limits_are_refused(void **state)
{
	static struct process_start start, again;
	static char long_command[PROCESS_COMMAND_MAX + 1];
	cleanup(buf_finish) struct buf b = BUF_INIT(1024 * 1024);
	struct process_window window;
	struct err err = { 0 };

	(void)state;
	memset(long_command, 'x', sizeof(long_command));
	start.kind = PROCESS_EXEC;
	start.command = span_of(long_command, sizeof(long_command));
	assert_true(process_start_format(&start, &b));
	assert_int_equal(process_start_parse(value_of(&b, PROCESS_START), &again, &err), -1);
	assert_int_equal(err.kind, ERR_LIMIT);
	/* Kind 3; 257 variables; pty 2; a window of 2^32 columns. */
	assert_int_equal(process_start_parse(span_of("\3\0\0\0", 4), &again, &err), -1);
	assert_int_equal(process_start_parse(span_of("\0\0\x41\x01", 4), &again, &err), -1);
	assert_int_equal(process_start_parse(span_of("\0\0\0\2", 4), &again, &err), -1);
	assert_int_equal(
		process_window_parse(span_of("\xc0\0\0\1\0\0\0\0\0\0\0", 11), &window, &err), -1);
}

static void a_start_that_is_too_large_for_the_buffer_leaves_it_alone(void **state)
{
	static struct process_start start;
	cleanup(buf_finish) struct buf b = BUF_INIT(40);

	(void)state;
	fill(&start);
	assert_false(process_start_format(&start, &b));
	assert_int_equal(buf_len(&b), 0);
}

static void a_window_survives_the_wire(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(64);
	struct process_window window = { 1, UINT32_MAX, 16384, 63 }, again;

	(void)state;
	assert_true(process_window_format(&window, &b));
	assert_int_equal(process_window_parse(value_of(&b, PROCESS_WINDOW), &again, NULL), 0);
	assert_memory_equal(&again, &window, sizeof(window));
}

static void an_exit_survives_the_wire(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(64);
	struct process_exit end = { .status = 255 }, again;

	(void)state;
	assert_true(process_exit_format(&end, &b));
	assert_int_equal(process_exit_parse(PROCESS_EXIT, value_of(&b, PROCESS_EXIT), &again, NULL),
			 0);
	assert_false(again.signalled);
	assert_int_equal(again.status, 255);

	buf_clear(&b);
	end = (struct process_exit){ .signalled = true,
				     .core_dumped = true,
				     .signal = span_of_str("SEGV") };
	assert_true(process_exit_format(&end, &b));
	assert_int_equal(process_exit_parse(PROCESS_EXIT_SIGNAL, value_of(&b, PROCESS_EXIT_SIGNAL),
					    &again, NULL),
			 0);
	assert_true(again.signalled && again.core_dumped);
	assert_true(span_equal_str(again.signal, "SEGV"));
	assert_int_equal(process_exit_parse(PROCESS_EXIT_SIGNAL, span_of("\2X", 2), &again, NULL),
			 -1);
	assert_int_equal(process_exit_parse(PROCESS_EXIT_SIGNAL, span_of("\1", 1), &again, NULL),
			 -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_survives_the_wire),
		cmocka_unit_test(an_argument_list_survives_the_wire),
		cmocka_unit_test(arguments_that_are_no_list_are_refused),
		cmocka_unit_test(a_start_that_is_cut_short_anywhere_is_refused),
		cmocka_unit_test(trailing_bytes_are_refused),
		cmocka_unit_test(values_beyond_their_limits_are_refused),
		cmocka_unit_test(a_start_that_is_too_large_for_the_buffer_leaves_it_alone),
		cmocka_unit_test(a_window_survives_the_wire),
		cmocka_unit_test(an_exit_survives_the_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
