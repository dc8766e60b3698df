/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "tunnel/net/connection_file.h"

static void a_connection_is_told_in_one_line(void **state)
{
	const struct connection_state connection = {
		.job = "job-7 \"x\"",
		.rank = 2,
		.kind = PATH_RELAY_TCP,
		.remote = "relay.example.org",
		.stats = { .rtt_ns = 20500000,
			   .packets_sent = 10,
			   .packets_lost = 1,
			   .bytes_sent = 1000,
			   .bytes_received = 2000 },
		.heard = 1790000005.5,
		.since = 1790000000.25,
		.written = 1790000006,
		.pid = 123,
		.pid_started = 4567,
	};
	cleanup(buf_finish) struct buf text = BUF_INIT(1024);

	(void)state;
	assert_true(connection_state_format(&connection, &text));
	assert_string_equal(
		buf_str(&text),
		"{\"version\": 1, \"pid\": 123, \"pid_started\": 4567, \"job\": \"job-7 "
		"\\\"x\\\"\", \"rank\": 2, \"path\": \"relay-tcp\", \"remote\": "
		"\"relay.example.org\", \"rtt_us\": 20500, \"packets_sent\": 10, "
		"\"packets_lost\": 1, \"bytes_sent\": 1000, \"bytes_received\": 2000, \"heard\": "
		"1790000005.500, \"since\": 1790000000.250, \"written\": 1790000006.000}\n");
}

static void what_does_not_fit_is_not_told(void **state)
{
	const struct connection_state connection = { .job = "job-7", .remote = "r" };
	cleanup(buf_finish) struct buf text = BUF_INIT(100);

	(void)state;
	assert_false(connection_state_format(&connection, &text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_is_told_in_one_line),
		cmocka_unit_test(what_does_not_fit_is_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
