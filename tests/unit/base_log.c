/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>
#include <unistd.h>

#include "init/base/log.h"

static int ends[2];

static int set_up(void **state)
{
	(void)state;
	return pipe(ends);
}

static const char *logged(void)
{
	static char line[4096];
	ssize_t n = read(ends[0], line, sizeof(line) - 1);

	assert_true(n >= 0);
	line[n] = '\0';
	return line;
}

static void text_lines_name_the_program(void **state)
{
	(void)state;
	log_setup("berth-x", ends[1], LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_info("conn %d: closed", 7);
	assert_string_equal(logged(), "berth-x: conn 7: closed\n");
}

static void levels_below_the_threshold_are_silent(void **state)
{
	(void)state;
	log_setup("berth-x", ends[1], LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
	log_info("not this");
	log_debug("nor this");
	log_warn("this");
	assert_string_equal(logged(), "berth-x: this\n");
}

static void what_a_peer_sent_cannot_act_on_a_terminal(void **state)
{
	(void)state;
	log_setup("berth-x", ends[1], LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
	log_warn("name '%s'", "a\033[2Jb\nc\302\2332J\303\244");
	assert_string_equal(logged(), "berth-x: name 'a\\u001b[2Jb\\u000ac\\u009b2J\303\244'\n");
}

static void without_a_terminal_a_line_is_a_json_object(void **state)
{
	const char *line;

	(void)state;
	log_setup("berth-x", ends[1], LOG_LEVEL_WARN, LOG_FORMAT_AUTO);
	log_error("say \"hi\"\n");
	line = logged();
	assert_non_null(strstr(line, "\"level\":\"error\",\"program\":\"berth-x\","
				     "\"message\":\"say \\\"hi\\\"\\u000a\"}\n"));
	assert_int_equal(strncmp(line, "{\"time\":\"20", 11), 0);
}

static void a_long_message_is_cut_and_still_one_line(void **state)
{
	char text[5000];
	const char *line;

	(void)state;
	memset(text, '\001', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_setup("berth-x", ends[1], LOG_LEVEL_WARN, LOG_FORMAT_JSON);
	log_error("%s", text);
	line = logged();
	assert_true(strlen(line) < 2048);
	assert_string_equal(line + strlen(line) - 3, "\"}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_lines_name_the_program),
		cmocka_unit_test(levels_below_the_threshold_are_silent),
		cmocka_unit_test(what_a_peer_sent_cannot_act_on_a_terminal),
		cmocka_unit_test(without_a_terminal_a_line_is_a_json_object),
		cmocka_unit_test(a_long_message_is_cut_and_still_one_line),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
