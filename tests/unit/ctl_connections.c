/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/ops/connections.h"
#include "init/base/alloc.h"
#include "init/base/fs.h"

static char dir[] = "/tmp/berth-connections-XXXXXX";
static char *connections;

static uint64_t own_start(void)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(4096);
	uint64_t started;
	const char *at;

	assert_int_equal(fs_read_file("/proc/self/stat", 4096, &text, NULL), 0);
	at = strrchr(buf_str(&text), ')') + 2;
	for (int field = 3; field < 22; field++)
		at = strchr(at, ' ') + 1;
	assert_int_equal(sscanf(at, "%" SCNu64, &started), 1);
	return started;
}

static void tell(const char *name, const char *job, uint64_t pid, uint64_t started, double since)
{
	cleanup_free char *path = fs_join(connections, name);
	cleanup_free char *text = str_printf(
		"{\"version\": 1, \"pid\": %" PRIu64 ", \"pid_started\": %" PRIu64
		", \"job\": \"%s\", \"rank\": 2, \"path\": \"relay-tcp\", \"remote\": "
		"\"relay.example.org\", \"rtt_us\": 20500, \"packets_sent\": 200, "
		"\"packets_lost\": 1, \"bytes_sent\": 1000, \"bytes_received\": 2000, \"heard\": "
		"1790000005.5, \"since\": %.3f, \"written\": 1790000006.0}\n",
		pid, started, job, since);

	assert_int_equal(fs_write_file(path, span_of_str(text), 0600, NULL), 0);
}

static int set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	setenv("XDG_RUNTIME_DIR", dir, 1);
	setenv("XDG_STATE_HOME", dir, 1);
	setenv("HOME", dir, 1);
	connections = str_printf("%s/berth/connections", dir);
	return fs_make_dirs(connections, 0700, NULL);
}

static int tear_down(void **state)
{
	int result = fs_remove_tree(dir, NULL);

	(void)state;
	free(connections);
	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
	return result;
}

static void the_living_are_listed_oldest_first(void **state)
{
	cleanup(connection_list_finish) struct connection_list list = { 0 };
	const struct connection *c;

	(void)state;
	/* The runtime directory and the state directory are the same here: each is read. */
	unsetenv("XDG_RUNTIME_DIR");
	tell("1.json", "job-8", (uint64_t)getpid(), own_start(), 1790000003.25);
	tell("2.json", "job-7", (uint64_t)getpid(), own_start(), 1790000001.5);
	assert_int_equal(ops_list_connections(NULL, 0, &list, NULL), 0);
	assert_int_equal(list.len, 2);
	c = &list.items[0];
	assert_string_equal(c->job, "job-7");
	assert_string_equal(c->path, "relay-tcp");
	assert_string_equal(c->remote, "relay.example.org");
	assert_int_equal(c->rank, 2);
	assert_int_equal(c->rtt_us, 20500);
	assert_int_equal(c->packets_lost, 1);
	assert_int_equal(c->bytes_received, 2000);
	assert_int_equal(c->since_ns, UINT64_C(1790000001500000000));
	assert_string_equal(list.items[1].job, "job-8");
}

static void what_a_killed_program_left_is_removed(void **state)
{
	cleanup(connection_list_finish) struct connection_list list = { 0 };
	cleanup_free char *left = fs_join(connections, "1.json");

	(void)state;
	/* Another process has the number now. */
	tell("1.json", "job-7", (uint64_t)getpid(), own_start() + 1, 1790000001.5);
	assert_int_equal(ops_list_connections(NULL, 0, &list, NULL), 0);
	assert_int_equal(list.len, 0);
	assert_false(fs_exists(left));
}

static void patterns_choose_by_the_name_of_the_job(void **state)
{
	cleanup(connection_list_finish) struct connection_list list = { 0 };
	char one[] = "job-7*", none[] = "job-9";
	char *patterns[] = { one };
	struct err err;

	(void)state;
	unsetenv("XDG_STATE_HOME");
	tell("1.json", "job-7", (uint64_t)getpid(), own_start(), 1790000001.5);
	tell("2.json", "job-8", (uint64_t)getpid(), own_start(), 1790000001.5);
	assert_int_equal(ops_list_connections(patterns, 1, &list, NULL), 0);
	assert_int_equal(list.len, 1);
	assert_string_equal(list.items[0].job, "job-7");
	patterns[0] = none;
	connection_list_finish(&list);
	assert_int_equal(ops_list_connections(patterns, 1, &list, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void what_is_no_such_file_is_passed_over(void **state)
{
	static const char *const texts[] = {
		"", "{}", "[]", "{\"job\": \"job-7\"}", "{\"job\": 7, \"path\": \"direct\"}",
	};
	cleanup(connection_list_finish) struct connection_list list = { 0 };
	cleanup_free char *path = fs_join(connections, "1.json");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(fs_write_file(path, span_of_str(texts[i]), 0600, NULL), 0);
		assert_int_equal(ops_list_connections(NULL, 0, &list, NULL), 0);
		assert_int_equal(list.len, 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_living_are_listed_oldest_first),
		TEST(what_a_killed_program_left_is_removed),
		TEST(patterns_choose_by_the_name_of_the_job),
		TEST(what_is_no_such_file_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
