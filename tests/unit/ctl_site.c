/* SPDX-License-Identifier: MIT */
/* A site behind a login node, with an `ssh` that runs things here and counts its calls. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/backends/jobdir.h"
#include "controller/backends/site_lock.h"
#include "controller/backends/site_ssh.h"
#include "controller/run/remote.h"
#include "init/base/fs.h"

static char dir[64];
static struct site *site;

static char *in_dir(const char *name)
{
	return fs_join(dir, name);
}

static void put_ssh(const char *text)
{
	cleanup_free char *path = in_dir("ssh");

	assert_int_equal(fs_write_file(path, span_of_str(text), 0700, NULL), 0);
}

static size_t calls(void)
{
	cleanup_free char *path = in_dir("calls");
	cleanup(buf_finish) struct buf text = BUF_INIT(65536);

	return fs_read_file(path, 65536, &text, NULL) < 0 ? 0 : buf_len(&text);
}

static int set_up(void **state)
{
	static const char *const options[] = { "Port 2222", NULL };
	const char *directories[] = { dir, NULL };
	cleanup_free char *path = NULL;

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/berth-site-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	path = str_printf("%s:/usr/bin:/bin", dir);
	setenv("PATH", path, 1);
	setenv("FAKE", dir, 1);
	/* A start-up file that talks, then the command as the last words. */
	put_ssh("#!/bin/sh\nprintf x >>\"$FAKE/calls\"\necho noise; echo more noise >&2\n"
		"while [ \"$1\" != -- ]; do shift; done; shift 2; eval \"exec $*\"\n");
	site = site_ssh_new(&(struct site_ssh_plan){
		.login = "me@login1", .options = options, .directories = directories });
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	site = site_close(site);
	return fs_remove_tree(dir, NULL);
}

static void what_is_put_off_goes_with_the_next_command(void **state)
{
	static const char *const argv[] = { "cat", "deep/er/a file", NULL };
	cleanup(child_finish) struct child child = { 0 };
	cleanup_free char *deep = in_dir("deep/er"), *file = in_dir("deep/er/a file");
	cleanup_free char *link = in_dir("deep/link");
	struct stat st;

	(void)state;
	assert_int_equal(site_make_dir(site, deep, NULL), 0);
	assert_int_equal(site_write(site, file, span_of_str("it's\n\n\"$HOME\"\n"), 0600, NULL), 0);
	assert_int_equal(site_link(site, "deep", link, NULL), 0);
	assert_int_equal(calls(), 0);
	assert_int_equal(
		site_run(site, &(struct child_plan){ .argv = argv, .dir = dir }, &child, NULL), 0);
	assert_string_equal(buf_str(&child.output), "it's\n\n\"$HOME\"\n");
	assert_string_equal(buf_str(&child.errors), "");
	assert_int_equal(calls(), 1);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(deep, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(site_flush(site, NULL), 0);
	assert_int_equal(calls(), 1); /* nothing was left to do */
}

static void words_arrive_unchanged(void **state)
{
	static const char *const words[] = {
		"",	"a b",	    "it's", "\"q\"", "$HOME `id` $(id)",
		"a\nb", "-n",	    "*",    "\\n\\", "\x01\x7f",
		"!x",	"\xff\xfe", "~",    "#c",    "%s;exit 3"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		const char *const argv[] = { "printf", "%s|%s", words[i], "end", NULL };
		cleanup_free char *assignment = str_printf("WORD=%s", words[i]);
		const char *const env[] = { assignment, NULL };
		const char *const shown[] = { "printenv", "WORD", NULL };
		cleanup_free char *expected = str_printf("%s|end", words[i]);
		cleanup_free char *line = str_printf("%s\n", words[i]);
		cleanup(child_finish) struct child child = { 0 }, second = { 0 };

		assert_int_equal(site_run(site, &(struct child_plan){ .argv = argv }, &child, NULL),
				 0);
		assert_string_equal(buf_str(&child.output), expected);
		assert_int_equal(site_run(site, &(struct child_plan){ .argv = shown, .env = env },
					  &second, NULL),
				 0);
		assert_string_equal(buf_str(&second.output), line);
	}
}

static void a_change_that_fails_stops_what_comes_after_it(void **state)
{
	static const char *const argv[] = { "touch", "after", NULL };
	cleanup(child_finish) struct child child = { 0 };
	cleanup_free char *after = in_dir("after");
	struct err err;

	(void)state;
	assert_int_equal(site_make_dir(site, "/proc/nothing/here", NULL), 0);
	assert_int_equal(
		site_run(site, &(struct child_plan){ .argv = argv, .dir = dir }, &child, &err), -1);
	assert_non_null(strstr(err.text, "me@login1: mkdir: "));
	assert_false(fs_exists(after));
	assert_int_equal(site_need(site, after, NULL), 0);
	assert_int_equal(site_flush(site, &err), -1);
	assert_non_null(strstr(err.text, "is gone"));
	/* What failed is not done again. */
	assert_int_equal(site_flush(site, NULL), 0);
}

static void files_are_read_from_an_offset(void **state)
{
	cleanup_free char *file = in_dir("log"), *none = in_dir("none");
	cleanup(buf_finish) struct buf text = BUF_INIT(100), rest = BUF_INIT(100);
	struct err err;

	(void)state;
	assert_int_equal(fs_write_file(file, span_of_str("0123456789"), 0600, NULL), 0);
	assert_int_equal(site_read(site, file, 3, 4, &text, NULL), 0);
	assert_string_equal(buf_str(&text), "3456");
	assert_int_equal(site_read(site, file, 10, 4, &rest, NULL), 0);
	assert_int_equal(buf_len(&rest), 0);
	assert_int_equal(site_read(site, none, 0, 4, &text, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void many_files_are_one_question(void **state)
{
	cleanup_free char *a = in_dir("a"), *b = in_dir("b");
	cleanup_free char *one = in_dir("a/status.0.json"), *two = in_dir("a/endpoint.0.json");
	cleanup_free char *none = in_dir("b/status.0.json"), *other = in_dir("a/other");
	const char *const dirs[] = { a, b };
	cleanup(buf_finish) struct buf text = BUF_INIT(100);
	struct err err;

	(void)state;
	assert_int_equal(fs_make_dirs(a, 0700, NULL), 0);
	assert_int_equal(fs_write_file(one, span_of_str("{\xc3\xbc}\n\n"), 0600, NULL), 0);
	assert_int_equal(fs_write_file(two, span_of_str(""), 0600, NULL), 0);
	assert_int_equal(fs_write_file(other, span_of_str("other"), 0600, NULL), 0);
	assert_int_equal(site_prefetch(site, dirs, 2, "status. endpoint.0", NULL), 0);
	assert_int_equal(site_read(site, one, 0, 100, &text, NULL), 0);
	assert_string_equal(buf_str(&text), "{\xc3\xbc}\n\n");
	buf_clear(&text);
	assert_int_equal(site_read(site, two, 0, 100, &text, NULL), 0);
	assert_int_equal(buf_len(&text), 0);
	assert_int_equal(site_read(site, none, 0, 100, &text, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(calls(), 1);
	assert_int_equal(site_read(site, other, 0, 100, &text, NULL), 0);
	assert_int_equal(calls(), 2);
	site_forget(site);
	assert_int_equal(site_read(site, one, 0, 100, &text, NULL), 0);
	assert_int_equal(calls(), 3);
}

static void any_bytes_are_uploaded(void **state)
{
	cleanup_free uint8_t *bytes = new_array(uint8_t, 1 << 20);
	cleanup(buf_finish) struct buf back = BUF_INIT(2 << 20);
	cleanup_free char *file = in_dir("it's $HOME");

	(void)state;
	for (size_t i = 0; i < 1 << 20; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
	assert_int_equal(site_ssh_upload(site, file, span_of(bytes, 1 << 20), NULL, NULL), 0);
	assert_int_equal(fs_read_file(file, 2 << 20, &back, NULL), 0);
	assert_int_equal(buf_len(&back), 1 << 20);
	assert_memory_equal(buf_span(&back).ptr, bytes, 1 << 20);
}

static void a_login_node_that_does_not_answer_is_told_from_a_command_that_fails(void **state)
{
	static const char *const argv[] = { "sh", "-c", "echo bad >&2; exit 3", NULL };
	static const char *const missing[] = { "no-such-program", NULL };
	cleanup(child_finish) struct child child = { 0 };
	char why[100];
	struct err err;

	(void)state;
	assert_int_equal(site_run(site, &(struct child_plan){ .argv = argv }, &child, NULL), 0);
	child_complaint(&child, why, sizeof(why));
	assert_int_equal(child.status, 3);
	assert_string_equal(why, "bad");
	assert_int_equal(site_run(site, &(struct child_plan){ .argv = missing }, &child, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	put_ssh("#!/bin/sh\necho 'x: Permission denied (publickey).' >&2; exit 255\n");
	assert_int_equal(site_run(site, &(struct child_plan){ .argv = argv }, &child, &err), -1);
	assert_int_equal(err.kind, ERR_DENIED);
	put_ssh("#!/bin/sh\necho 'ssh: connect to host x port 22: No route to host' >&2; exit 255\n");
	assert_int_equal(site_run(site, &(struct child_plan){ .argv = argv }, &child, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.text, "No route to host: try 'ssh me@login1'"));
	/* One that ends before it ran anything. */
	put_ssh("#!/bin/sh\necho 'This account is not available.'\nexit 1\n");
	assert_int_equal(site_run(site, &(struct child_plan){ .argv = argv }, &child, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
}

static void a_socket_gets_a_name_that_is_short_enough(void **state)
{
	static const char *const none[] = { NULL };
	static const char *const options[] = { "Port 1", NULL };
	const char *long_first[] = {
		"/a-long-name/a-long-name/a-long-name/a-long-name/a-long-name/a-long-name/a-long-name",
		"/short", NULL
	};
	const char *only_bad[] = { long_first[0], "/with%h", NULL };
	cleanup_free char *a = remote_control_path("a", none, long_first);
	cleanup_free char *b = remote_control_path("a", options, long_first);

	(void)state;
	assert_true(strncmp(a, "/short/ssh-", 11) == 0);
	assert_true(strcmp(a, b) != 0);
	assert_true(strlen(a) < 108 - 18);
	assert_null(remote_control_path("a", none, only_bad));
}

static struct site *site_of(bool here)
{
	return here ? NULL : site;
}

/* The lock leads nowhere: stat(2) does not see it. */
static bool is_locked(const char *lock)
{
	struct stat st;

	return lstat(lock, &st) == 0;
}

static void a_file_is_replaced_only_if_it_holds_what_is_expected(void **state)
{
	(void)state;
	for (int here = 0; here < 2; here++) {
		struct site *s = site_of(here);
		cleanup_free char *file = in_dir("keys '\n.json"), *lock = site_lock_path(file);
		cleanup(buf_finish) struct buf text = BUF_INIT(64);
		struct stat st;

		assert_int_equal(fs_write_file(file, span_of_str("one\n\n"), 0644, NULL), 0);
		assert_int_equal(
			site_replace(s, file, span_of_str("one\n"), span_of_str("no"), 0600, NULL),
			1);
		assert_int_equal(site_replace(s, file, span_of_str("one\n\n"),
					      span_of_str("$two\n"), 0600, NULL),
				 0);
		assert_int_equal(fs_read_file(file, 64, &text, NULL), 0);
		assert_string_equal(buf_str(&text), "$two\n");
		assert_int_equal(stat(file, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
		assert_false(is_locked(lock));
	}
}

static void a_lock_that_somebody_left_is_dropped_when_it_is_old(void **state)
{
	(void)state;
	for (int here = 0; here < 2; here++) {
		const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
		cleanup_free char *file = in_dir("keys.json"), *lock = site_lock_path(file);

		assert_int_equal(fs_write_file(file, span_of_str("one"), 0600, NULL), 0);
		assert_int_equal(fs_write_file(lock, span_of_str(""), 0600, NULL), 0);
		assert_int_equal(utimensat(AT_FDCWD, lock, old, 0), 0);
		assert_int_equal(site_replace(site_of(here), file, span_of_str("one"),
					      span_of_str("two"), 0600, NULL),
				 0);
		assert_false(is_locked(lock));
	}
}

/* The lock's holder: one who is not there any more, one who is, and one of another machine. */
static void a_lock_of_somebody_who_died_is_dropped_at_once(void **state)
{
	(void)state;
	for (int here = 0; here < 2; here++) {
		cleanup_free char *file = in_dir("keys.json"), *lock = site_lock_path(file);
		pid_t pid = fork();
		int status;

		assert_true(pid >= 0);
		if (pid == 0)
			_exit(site_lock_take(lock, NULL) < 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_true(is_locked(lock));

		assert_int_equal(fs_write_file(file, span_of_str("one"), 0600, NULL), 0);
		assert_int_equal(site_replace(site_of(here), file, span_of_str("one"),
					      span_of_str("two"), 0600, NULL),
				 0);
		assert_false(is_locked(lock));
	}
}

static void a_lock_is_kept_from_others_while_its_holder_lives(void **state)
{
	const char *const elsewhere = "00000000-0000-0000-0000-000000000000 pid:[1] 999999999";

	(void)state;
	for (int here = 0; here < 2; here++) {
		cleanup_free char *file = in_dir("keys.json"), *lock = site_lock_path(file);
		pid_t pid;
		int status;

		assert_int_equal(fs_write_file(file, span_of_str("one"), 0600, NULL), 0);
		if (here)
			assert_int_equal(site_lock_take(lock, NULL), 0);
		else
			assert_int_equal(symlink(elsewhere, lock), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			_exit(site_replace(site_of(here), file, span_of_str("one"),
					   span_of_str("two"), 0600, NULL) == 0
				      ? 0
				      : 1);
		usleep(300 * 1000);
		assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
		site_lock_drop(lock);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

static void read_part(const char *path, uint64_t offset, size_t max, const char *expected)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(65536);

	assert_int_equal(site_read(site, path, offset, max, &text, NULL), 0);
	assert_string_equal(buf_str(&text), expected);
}

static void parts_of_many_files_are_one_question(void **state)
{
	cleanup_free char *out = in_dir("it's out"), *times = in_dir("it's out.times");
	cleanup_free char *bytes = in_dir("bytes"), *missing = in_dir("none");
	cleanup_free char *no_times = in_dir("none.times");
	const struct site_part parts[] = {
		{ .path = out, .max = 6, .since = 150 },
		{ .path = bytes, .offset = 1, .max = 100 },
		{ .path = bytes, .offset = LOG_END, .max = 2 },
		{ .path = missing, .max = 100, .since = 150 },
	};
	cleanup(buf_finish) struct buf text = BUF_INIT(256);
	struct err err;

	(void)state;
	assert_int_equal(fs_write_file(out, span_of_str("early\nlate\n"), 0600, NULL), 0);
	assert_int_equal(fs_write_file(times, span_of_str("100 6\n200 11\n250"), 0600, NULL), 0);
	assert_int_equal(fs_write_file(bytes, span_of("a\0b\n\n", 5), 0600, NULL), 0);
	assert_int_equal(site_expect(site, parts, ARRAY_LEN(parts), &err), 0);
	assert_int_equal(calls(), 1);
	read_part(times, 0, 65536, "100 6\n200 11\n250");
	read_part(out, 6, 6, "late\n");
	assert_int_equal(site_read(site, bytes, 1, 100, &text, NULL), 0);
	assert_memory_equal(buf_str(&text), "\0b\n\n", 5);
	read_part(bytes, LOG_END, 2, "\n\n");
	assert_int_equal(site_read(site, missing, 0, 100, &text, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(site_read(site, no_times, 0, 100, &text, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(calls(), 1);
	/* What was taken is asked for anew, and what was not fetched as well. */
	read_part(out, 6, 6, "late\n");
	read_part(out, 0, 5, "early");
	assert_int_equal(calls(), 3);
}

static void notes_that_are_none_lead_to_the_beginning(void **state)
{
	static const char *const notes[] = { "1 1; touch $FAKE/made\n",
					     "a[$(touch $FAKE/made)] 3\n",
					     "09 3\n",
					     "1 010\n",
					     "1\n",
					     "-5 3\n",
					     "\n",
					     "999999999999999999999 3\n" };
	cleanup_free char *out = in_dir("out"), *times = in_dir("out.times"),
			  *made = in_dir("made");

	(void)state;
	assert_int_equal(fs_write_file(out, span_of_str("0123456789"), 0600, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(notes); i++) {
		const struct site_part part = { .path = out, .max = 100, .since = 150 };
		size_t before = calls();

		assert_int_equal(fs_write_file(times, span_of_str(notes[i]), 0600, NULL), 0);
		assert_int_equal(site_expect(site, &part, 1, NULL), 0);
		read_part(out, 0, 100, "0123456789");
		assert_int_equal(calls(), before + 1);
		assert_false(fs_exists(made));
	}
}

static int append(const char *file, bool here, char letter)
{
	for (int tries = 0; tries < 1000; tries++) {
		cleanup(buf_finish) struct buf now = BUF_INIT(256), next = BUF_INIT(256);
		int result;

		if (fs_read_file(file, 256, &now, NULL) < 0 ||
		    !buf_append_span(&next, buf_span(&now)) ||
		    !buf_append_u8(&next, (uint8_t)letter))
			return 1;
		result = site_replace(site_of(here), file, buf_span(&now), buf_span(&next), 0600,
				      NULL);
		if (result <= 0)
			return result < 0;
	}
	return 1;
}

/* Half of them through the login node, half here: the lock is one. */
static void of_many_who_change_a_file_at_once_nobody_is_overwritten(void **state)
{
	cleanup_free char *file = in_dir("keys.json");
	cleanup(buf_finish) struct buf text = BUF_INIT(256);
	enum { WRITERS = 8, ROUNDS = 3 };
	pid_t pids[WRITERS];
	int status;

	(void)state;
	assert_int_equal(fs_write_file(file, span_of_str("-"), 0600, NULL), 0);
	for (int i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0) {
			int failed = 0;

			for (int round = 0; round < ROUNDS; round++)
				failed |= append(file, i % 2, (char)('a' + i));
			_exit(failed);
		}
	}
	for (int i = 0; i < WRITERS; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(fs_read_file(file, 256, &text, NULL), 0);
	assert_int_equal(buf_len(&text), 1 + WRITERS * ROUNDS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_is_put_off_goes_with_the_next_command),
		TEST(words_arrive_unchanged),
		TEST(a_change_that_fails_stops_what_comes_after_it),
		TEST(files_are_read_from_an_offset),
		TEST(many_files_are_one_question),
		TEST(parts_of_many_files_are_one_question),
		TEST(notes_that_are_none_lead_to_the_beginning),
		TEST(a_file_is_replaced_only_if_it_holds_what_is_expected),
		TEST(a_lock_that_somebody_left_is_dropped_when_it_is_old),
		TEST(a_lock_of_somebody_who_died_is_dropped_at_once),
		TEST(a_lock_is_kept_from_others_while_its_holder_lives),
		TEST(of_many_who_change_a_file_at_once_nobody_is_overwritten),
		TEST(any_bytes_are_uploaded),
		TEST(a_login_node_that_does_not_answer_is_told_from_a_command_that_fails),
		TEST(a_socket_gets_a_name_that_is_short_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
