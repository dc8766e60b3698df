/* SPDX-License-Identifier: MIT */
/* Tickets on disk: taken once, kept few, refused when they are not what they should be. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "init/base/text.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/jsonfile.h"
#include "tunnel/net/ticket.h"

#define STARTED 1234.567

static const struct key_public key = { { 1, 2, 3 } }, other_key = { { 1, 2, 4 } };

static char *make_dir(void)
{
	char path[] = "/tmp/berth-ticket.XXXXXX";

	assert_non_null(mkdtemp(path));
	return str_dup(path);
}

static void drop_dir(char *path)
{
	assert_int_equal(fs_remove_tree(path, NULL), 0);
	free(path);
}

static void make_ticket(struct ticket *ticket, const char *session)
{
	ticket_init(ticket);
	ticket->started = STARTED;
	ticket->expires = (uint64_t)clock_wall() + 1000;
	ticket->rtt_us = 50000;
	ticket->key = key;
	assert_true(addr_parse("192.0.2.7:4000", &ticket->remote));
	assert_true(buf_append_span(&ticket->session, span_of_str(session)));
	assert_true(buf_append_span(&ticket->params, span_of_str("limits")));
}

static void keep(const char *dir, unsigned int rank, const char *session)
{
	cleanup(ticket_finish) struct ticket ticket;

	make_ticket(&ticket, session);
	ticket_keep(dir, rank, &ticket);
}

static size_t count_files(const char *dir)
{
	DIR *names = opendir(dir);
	size_t count = 0;

	assert_non_null(names);
	while (readdir(names))
		count++;
	closedir(names);
	return count - 2;
}

static void a_ticket_comes_back_as_it_was_and_once(void **state)
{
	cleanup_free char *parent = make_dir();
	cleanup_free char *dir = fs_join(parent, "client.json.tickets");
	cleanup(ticket_finish) struct ticket ticket, again;
	struct stat st;

	(void)state;
	ticket_init(&ticket);
	ticket_init(&again);
	keep(dir, 3, "session");
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_false(ticket_take(dir, 2, STARTED, &key, &ticket));
	assert_true(ticket_take(dir, 3, STARTED, &key, &ticket));
	assert_true(span_equal_str(buf_span(&ticket.session), "session"));
	assert_true(span_equal_str(buf_span(&ticket.params), "limits"));
	assert_int_equal(ticket.rtt_us, 50000);
	assert_int_equal(addr_port(&ticket.remote), 4000);
	assert_int_equal(count_files(dir), 0);
	assert_false(ticket_take(dir, 3, STARTED, &key, &again));
	drop_dir(take_ptr(parent));
}

static void few_are_kept_and_the_last_ones(void **state)
{
	char *dir = make_dir();
	bool seen[20] = { false };

	(void)state;
	for (unsigned int i = 0; i < 20; i++) {
		cleanup_free char *session = str_printf("%u", i);

		keep(dir, 0, session);
		assert_true(count_files(dir) <= TICKETS_MAX);
	}
	for (unsigned int i = 0; i < TICKETS_MAX; i++) {
		cleanup(ticket_finish) struct ticket ticket;
		uint64_t number;

		ticket_init(&ticket);
		assert_true(ticket_take(dir, 0, STARTED, &key, &ticket));
		assert_true(text_parse_uint(buf_str(&ticket.session), 19, &number));
		seen[number] = true;
	}
	/* Several within a tick of the file system's clock count as equally old. */
	assert_true(seen[19] || seen[18] || seen[17] || seen[16]);
	assert_int_equal(count_files(dir), 0);
	drop_dir(dir);
}

static void what_is_of_no_use_is_removed(void **state)
{
	char *dir = make_dir();
	cleanup(ticket_finish) struct ticket old, ticket;
	cleanup_free char *path = fs_join(dir, "0.3"), *open = fs_join(dir, "0.2");

	(void)state;
	ticket_init(&ticket);
	keep(dir, 0, "of another server");
	make_ticket(&old, "too old");
	old.expires = (uint64_t)clock_wall() - 1;
	ticket_keep(dir, 0, &old);
	assert_int_equal(fs_write_file(path, span_of_str("{\"version\": 1"), 0600, NULL), 0);
	assert_int_equal(fs_write_file(open, span_of_str("{}"), 0644, NULL), 0);
	assert_int_equal(count_files(dir), 4);
	assert_false(ticket_take(dir, 0, STARTED + 1, &key, &ticket));
	assert_int_equal(count_files(dir), 0);
	keep(dir, 0, "of another key");
	assert_false(ticket_take(dir, 0, STARTED, &other_key, &ticket));
	assert_int_equal(count_files(dir), 0);
	assert_false(ticket_take("/nonexistent", 0, STARTED, &key, &ticket));
	drop_dir(dir);
}

/* Processes that race for tickets: each ticket is taken by one of them. */
static void of_several_takers_each_ticket_has_one(void **state)
{
	char *dir = make_dir();
	int taken = 0;

	(void)state;
	for (int round = 0; round < 20; round++) {
		pid_t pids[4];

		keep(dir, 0, "a");
		keep(dir, 0, "b");
		for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
			pids[i] = fork();
			if (pids[i] == 0) {
				struct ticket ticket;

				ticket_init(&ticket);
				_exit(ticket_take(dir, 0, STARTED, &key, &ticket) ? 1 : 0);
			}
		}
		for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
			int status;

			assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
			assert_true(WIFEXITED(status));
			taken += WEXITSTATUS(status);
		}
	}
	assert_int_equal(taken, 40);
	assert_int_equal(count_files(dir), 0);
	drop_dir(dir);
}

static void a_file_that_is_no_ticket_is_refused(void **state)
{
#define HEAD "{\"version\": 1, \"started\": 1, \"expires\": 2, \"rtt_us\": 3, "
#define KEY "\"key\": \"AQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\", "
#define ADDRESS KEY "\"address\": \"192.0.2.1:1\", "
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "[]", "not a JSON object" },
		{ "{\"version\": 1}", "\"started\" is not a number" },
		{ HEAD "\"key\": \"AQID\"}", "\"key\" is not 32 bytes in base64" },
		{ HEAD KEY "\"address\": \"nowhere\"}", "\"address\" is not ADDRESS:PORT" },
		{ HEAD ADDRESS "\"session\": 5}", "\"session\" is not a string" },
		{ HEAD ADDRESS "\"session\": \"\"}",
		  "\"session\" is empty, or longer than 8192 bytes" },
		{ HEAD ADDRESS "\"session\": \"YQ=\"}", "\"session\" is not base64" },
		{ HEAD ADDRESS "\"session\": \"====\"}", "\"session\" is not base64" },
		{ HEAD ADDRESS "\"session\": \"YQ==\"}", "\"params\" is not a string" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ticket ticket;
		struct err err;

		assert_int_equal(ticket_parse(span_of_str(cases[i].text), &ticket, &err), -1);
		assert_string_equal(err.text, cases[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ticket_comes_back_as_it_was_and_once),
		cmocka_unit_test(few_are_kept_and_the_last_ones),
		cmocka_unit_test(what_is_of_no_use_is_removed),
		cmocka_unit_test(of_several_takers_each_ticket_has_one),
		cmocka_unit_test(a_file_that_is_no_ticket_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
