/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controller/run/argv.h"
#include "controller/run/child.h"
#include "controller/run/secret.h"

static int run(const char *const *argv, unsigned int timeout_ms, struct child *ret, struct err *err)
{
	return child_run(&(struct child_plan){ .argv = argv, .timeout_ms = timeout_ms }, ret, err);
}

static void both_streams_and_the_status_are_kept(void **state)
{
	const char *const argv[] = { "sh", "-c", "echo out; echo ' err' >&2; cat; exit 3", NULL };
	cleanup(child_finish) struct child child = { 0 };
	char line[20];

	(void)state;
	assert_int_equal(run(argv, 10000, &child, NULL), 0);
	assert_int_equal(child.status, 3);
	assert_string_equal(buf_str(&child.output), "out\n");
	child_complaint(&child, line, sizeof(line));
	assert_string_equal(line, "err");
}

static size_t take_lines(void *owner, struct span so_far)
{
	const uint8_t *end = memrchr(so_far.ptr, '\n', so_far.len);
	size_t len = end ? (size_t)(end - so_far.ptr) + 1 : 0;

	assert_true(buf_append(owner, so_far.ptr, len));
	return len;
}

static void output_can_be_read_along_and_the_rest_is_left(void **state)
{
	const char *const argv[] = { "sh", "-c", "echo one; printf tw; read x; echo o; printf rest",
				     NULL };
	const struct child_plan plan = { .argv = argv, .timeout_ms = 10000 };
	cleanup(running_stop) struct running *running = NULL;
	cleanup(child_finish) struct child child = { 0 };
	cleanup(buf_finish) struct buf lines = BUF_INIT(100);
	const struct child_reader reader = { .take = take_lines, .owner = &lines };

	(void)state;
	assert_int_equal(child_start(&plan, &running, NULL), 0);
	assert_int_equal(child_follow(running, &reader, &child, NULL), 0);
	assert_string_equal(buf_str(&lines), "one\ntwo\n");
	assert_string_equal(buf_str(&child.output), "rest");
}

static void what_waits_for_its_input_gets_all_of_it_or_nothing(void **state)
{
	const char *const argv[] = { "sh", "-c", "exec cat /proc/self/fd/0 /proc/self/fd/0", NULL };
	const struct child_plan plan = { .argv = argv, .timeout_ms = 10000, .waits = true };
	static char piece[CHILD_PIECE_MAX];

	(void)state;
	memset(piece, 'x', sizeof(piece));
	for (size_t len = 0; len <= sizeof(piece); len += sizeof(piece)) {
		cleanup(running_stop) struct running *running = NULL;
		cleanup(child_finish) struct child child = { 0 };

		assert_int_equal(child_start(&plan, &running, NULL), 0);
		if (len > 0)
			child_give(running, span_of(piece, len));
		assert_int_equal(child_end(running, &child, NULL), 0);
		assert_int_equal(child.status, 0);
		assert_int_equal(buf_len(&child.output), len);
	}
}

static void giving_to_one_that_has_ended_harms_nobody(void **state)
{
	const char *const argv[] = { "sh", "-c", "exec 0<&-; echo no >&2; exit 1", NULL };
	const struct child_plan plan = { .argv = argv, .timeout_ms = 10000, .waits = true };
	cleanup(running_stop) struct running *running = NULL;
	cleanup(child_finish) struct child child = { 0 };
	struct span line;

	(void)state;
	assert_int_equal(child_start(&plan, &running, NULL), 0);
	assert_int_equal(child_await_line(running, &line), 0);
	child_give(running, span_of_str("#!/bin/sh\n"));
	assert_int_equal(child_end(running, &child, NULL), 0);
	assert_int_equal(child.status, 1);
	assert_string_equal(buf_str(&child.errors), "no\n");
}

static void a_line_is_there_before_its_program_ends(void **state)
{
	const char *const argv[] = { "sh", "-c", "echo 17; read x; echo $x; exit 5", NULL };
	const struct child_plan plan = { .argv = argv, .timeout_ms = 10000, .waits = true };
	cleanup(running_stop) struct running *running = NULL;
	cleanup(child_finish) struct child child = { 0 };
	struct span line;

	(void)state;
	assert_int_equal(child_start(&plan, &running, NULL), 0);
	assert_int_equal(child_await_line(running, &line), 1);
	assert_true(span_equal(line, span_of_str("17\n")));
	child_give(running, span_of_str("more\n"));
	assert_int_equal(child_end(running, &child, NULL), 0);
	assert_int_equal(child.status, 5);
	assert_string_equal(buf_str(&child.output), "17\nmore\n");
}

static void one_that_is_detached_has_a_session_of_its_own_and_nobody_to_tell(void **state)
{
	char path[] = "/tmp/berth-test.XXXXXX", text[256] = "";
	/* The sixth field is the session; proc(5). */
	const char *const argv[] = { "sh", "-c",
				     "exec > \"$0.part\"; cut -d' ' -f6 /proc/$$/stat; "
				     "readlink /proc/$$/fd/0 /proc/$$/fd/2; mv \"$0.part\" \"$0\"",
				     path, NULL };
	const char *const none[] = { "/nonexistent/program", NULL };
	const struct timespec pause = { .tv_nsec = 10000000 };
	cleanup_close int made = mkstemp(path);
	char expected[64];
	struct err err;
	long sid = 0;

	(void)state;
	assert_int_equal(child_detach(&(struct child_plan){ .argv = none }, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(child_detach(&(struct child_plan){ .argv = argv }, NULL), 0);
	for (int i = 0; i < 3000 && text[0] == '\0'; i++) {
		cleanup_close int fd = open(path, O_RDONLY);

		assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) >= 0);
		nanosleep(&pause, NULL);
	}
	unlink(path);
	sid = strtol(text, NULL, 10);
	assert_true(sid > 0 && sid != getsid(0));
	snprintf(expected, sizeof(expected), "%ld\n/dev/null\n/dev/null\n", sid);
	assert_string_equal(text, expected);
}

static void words_reach_the_program_as_they_are(void **state)
{
	const char *const argv[] = { "printf", "%s|", "$HOME", "a b", "", "*", "x\ny", NULL };
	cleanup(child_finish) struct child child = { 0 };

	(void)state;
	assert_int_equal(run(argv, 10000, &child, NULL), 0);
	assert_string_equal(buf_str(&child.output), "$HOME|a b||*|x\ny|");
}

static void a_program_that_is_not_there_is_named(void **state)
{
	const char *const argv[] = { "no-such-program-here", NULL };
	struct child child;
	struct err err;

	(void)state;
	assert_int_equal(run(argv, 1000, &child, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_string_equal(err.text, "no program 'no-such-program-here'");
}

static void a_program_that_hangs_is_killed_at_the_deadline(void **state)
{
	const char *const argv[] = { "sleep", "1000", NULL };
	struct child child;
	struct err err;

	(void)state;
	assert_int_equal(run(argv, 50, &child, &err), -1);
	assert_int_equal(err.kind, ERR_TIMEOUT);
}

static void a_signal_is_a_status_above_128(void **state)
{
	const char *const argv[] = { "sh", "-c", "kill -9 $$", NULL };
	cleanup(child_finish) struct child child = { 0 };

	(void)state;
	assert_int_equal(run(argv, 10000, &child, NULL), 0);
	assert_int_equal(child.status, 128 + 9);
}

static void complaints_without_end_are_cut(void **state)
{
	const char *const argv[] = { "sh", "-c", "yes | head -c 300000 >&2; echo done", NULL };
	cleanup(child_finish) struct child child = { 0 };

	(void)state;
	assert_int_equal(run(argv, 10000, &child, NULL), 0);
	assert_int_equal(buf_len(&child.errors), CHILD_ERRORS_MAX);
	assert_string_equal(buf_str(&child.output), "done\n");
}

static void additions_to_the_environment_are_seen(void **state)
{
	const char *const argv[] = { "sh", "-c", "echo $A-$B", NULL }, *const env[] = {
		"A=1 2", "B=", NULL
	};
	cleanup(child_finish) struct child child = { 0 };

	(void)state;
	assert_int_equal(child_run(&(struct child_plan){ .argv = argv, .env = env }, &child, NULL),
			 0);
	assert_string_equal(buf_str(&child.output), "1 2-\n");
	assert_null(getenv("A"));
}

static void an_argument_vector_ends_with_null(void **state)
{
	cleanup(argv_finish) struct argv argv = { 0 };

	(void)state;
	argv_add_words(&argv, "a", "b", NULL);
	argv_addf(&argv, "--n=%d", 3);
	assert_int_equal(argv.len, 3);
	assert_string_equal(argv.items[2], "--n=3");
	assert_null(argv.items[3]);
}

static void a_program_that_prints_a_secret_is_named_by_its_setting(void **state)
{
	static const struct {
		const char *script;
		enum err_kind kind;
		const char *says;
	} cases[] = {
		{ "echo sesame", ERR_NONE, "" },
		{ "echo sesame; echo 'log in first' >&2; exit 3", ERR_UNAVAILABLE,
		  "token_command ended with status 3: log in first" },
		{ "echo 'open sesame, and more'", ERR_LIMIT, "token_command printed too much" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *const argv[] = { "sh", "-c", cases[i].script, NULL };
		cleanup(buf_wipe) struct buf text = BUF_INIT(16);
		struct err err = { 0 };

		assert_int_equal(secret_print("token_command", argv, &text, &err),
				 cases[i].kind == ERR_NONE ? 0 : -1);
		assert_int_equal(err.kind, cases[i].kind);
		assert_string_equal(err.text, cases[i].says);
		assert_string_equal(buf_str(&text), cases[i].kind == ERR_NONE ? "sesame\n" : "");
	}
}

static void note_progress(void *arg, uint64_t done, uint64_t total)
{
	uint64_t *last = arg;

	assert_true(done > *last && done <= total);
	*last = done;
}

static void who_asks_hears_how_much_of_the_input_was_taken(void **state)
{
	static const uint8_t bytes[300000];
	static const char *const argv[] = { "sh", "-c", "cat > /dev/null", NULL };
	cleanup(child_finish) struct child child = { 0 };
	uint64_t last = 0;
	const struct child_progress progress = { note_progress, &last };
	const struct child_plan plan = { .argv = argv,
					 .input = span_of(bytes, sizeof(bytes)),
					 .progress = &progress };

	(void)state;
	assert_int_equal(child_run(&plan, &child, NULL), 0);
	assert_int_equal(last, sizeof(bytes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_streams_and_the_status_are_kept),
		cmocka_unit_test(output_can_be_read_along_and_the_rest_is_left),
		cmocka_unit_test(what_waits_for_its_input_gets_all_of_it_or_nothing),
		cmocka_unit_test(giving_to_one_that_has_ended_harms_nobody),
		cmocka_unit_test(a_line_is_there_before_its_program_ends),
		cmocka_unit_test(one_that_is_detached_has_a_session_of_its_own_and_nobody_to_tell),
		cmocka_unit_test(words_reach_the_program_as_they_are),
		cmocka_unit_test(a_program_that_is_not_there_is_named),
		cmocka_unit_test(a_program_that_hangs_is_killed_at_the_deadline),
		cmocka_unit_test(a_signal_is_a_status_above_128),
		cmocka_unit_test(complaints_without_end_are_cut),
		cmocka_unit_test(additions_to_the_environment_are_seen),
		cmocka_unit_test(an_argument_vector_ends_with_null),
		cmocka_unit_test(a_program_that_prints_a_secret_is_named_by_its_setting),
		cmocka_unit_test(who_asks_hears_how_much_of_the_input_was_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
