/* SPDX-License-Identifier: MIT */
/* The server in a directory of its own: packets in, packets and files out. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init/base/fs.h"
#include "tunnel/sftp/server.h"

static char dir[] = "/tmp/sftp_server.XXXXXX";

struct world {
	struct sftp_server *server;
	struct buf in, out, last; /* last: the packet that answer borrows from */
	uint32_t id;
	struct sftp_answer answer;
};

static struct sftp_answer *take_answer(struct world *w)
{
	struct span bytes = buf_span(&w->out), packet;

	assert_int_equal(sftp_packet_cut(&bytes, &packet), 1);
	buf_clear(&w->last);
	assert_true(buf_append_span(&w->last, packet));
	buf_consume(&w->out, SFTP_HEAD_LEN + packet.len);
	assert_int_equal(sftp_answer_parse(buf_span(&w->last), &w->answer, NULL), 0);
	return &w->answer;
}

static struct sftp_answer *ask(struct world *w, struct sftp_request request)
{
	request.id = ++w->id;
	assert_true(sftp_request_append(&w->in, &request));
	assert_int_equal(sftp_server_serve(w->server, &w->in, &w->out, NULL), 0);
	take_answer(w);
	assert_int_equal(w->answer.id, request.id);
	assert_int_equal(buf_len(&w->out), 0);
	return &w->answer;
}

static uint32_t status_of(struct world *w, struct sftp_request request)
{
	const struct sftp_answer *answer = ask(w, request);

	assert_int_equal(answer->type, SFTP_TYPE_STATUS);
	return answer->code;
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	setenv("HOME", dir, 1);
	w->server = sftp_server_new();
	buf_init(&w->in, SFTP_SERVER_IN_MAX);
	buf_init(&w->out, SFTP_SERVER_OUT_MAX);
	buf_init(&w->last, SFTP_PACKET_MAX);
	assert_true(buf_append(&w->in, "\0\0\0\5\1\0\0\0\3", 9));
	assert_int_equal(sftp_server_serve(w->server, &w->in, &w->out, NULL), 0);
	assert_int_equal(take_answer(w)->type, SFTP_TYPE_VERSION);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	sftp_server_free(w->server);
	buf_finish(&w->in);
	buf_finish(&w->out);
	buf_finish(&w->last);
	free(w);
	return chdir("/") == 0 && fs_remove_tree(dir, NULL) == 0 ? 0 : -1;
}

#define PATH(name) span_of_str(name)

/* Opens and returns the handle, which the caller frees with the world. */
static struct span open_file(struct world *w, const char *name, uint32_t flags, uint8_t handle[8])
{
	const struct sftp_answer *answer = ask(
		w, (struct sftp_request){ .op = SFTP_OPEN, .path = PATH(name), .flags = flags });

	assert_int_equal(answer->type, SFTP_TYPE_HANDLE);
	assert_int_equal(answer->bytes.len, 8);
	memcpy(handle, answer->bytes.ptr, 8);
	return span_of(handle, 8);
}

static void make_file(const char *name, const char *text)
{
	assert_int_equal(fs_write_file(name, span_of_str(text), 0644, NULL), 0);
}

static void assert_file(const char *name, const char *text)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(4096);

	assert_int_equal(fs_read_file(name, b.max, &b, NULL), 0);
	assert_string_equal(buf_str(&b), text);
}

static void a_file_is_written_read_and_closed(void **state)
{
	struct world *w = *state;
	uint8_t name[8];
	struct span handle =
		open_file(w, "f", SFTP_OPEN_READ | SFTP_OPEN_WRITE | SFTP_OPEN_CREATE, name);
	struct sftp_request read = { .op = SFTP_READ, .handle = handle, .length = 100 };

	assert_int_equal(status_of(w, (struct sftp_request){ .op = SFTP_WRITE,
							     .handle = handle,
							     .offset = 3,
							     .bytes = PATH("abc") }),
			 SFTP_STATUS_OK);
	assert_true(span_equal(ask(w, read)->bytes, span_of("\0\0\0abc", 6)));
	read.offset = 6;
	assert_int_equal(status_of(w, read), SFTP_STATUS_EOF);
	assert_int_equal(
		ask(w, (struct sftp_request){ .op = SFTP_FSTAT, .handle = handle })->attrs.size, 6);
	assert_int_equal(status_of(w, (struct sftp_request){ .op = SFTP_FSYNC, .handle = handle }),
			 SFTP_STATUS_OK);
	assert_int_equal(status_of(w, (struct sftp_request){ .op = SFTP_CLOSE, .handle = handle }),
			 SFTP_STATUS_OK);
	read.offset = 0;
	assert_int_equal(status_of(w, read), SFTP_STATUS_FAILURE);
}

static void appending_ignores_the_offset_and_exclusive_refuses_what_is_there(void **state)
{
	struct world *w = *state;
	uint8_t name[8];

	make_file("f", "one");
	assert_int_equal(
		status_of(w,
			  (struct sftp_request){
				  .op = SFTP_WRITE,
				  .handle = open_file(w, "f", SFTP_OPEN_WRITE | SFTP_OPEN_APPEND,
						      name),
				  .bytes = PATH(" two") }),
		SFTP_STATUS_OK);
	assert_file("f", "one two");
	assert_int_equal(
		status_of(w, (struct sftp_request){ .op = SFTP_OPEN,
						    .path = PATH("f"),
						    .flags = SFTP_OPEN_WRITE | SFTP_OPEN_CREATE |
							     SFTP_OPEN_EXCLUSIVE }),
		SFTP_STATUS_FAILURE);
	assert_true(span_equal_str(w->answer.text, "File exists"));
}

static void a_symlink_has_its_target_first(void **state)
{
	struct world *w = *state;
	char target[8] = { 0 };

	assert_int_equal(status_of(w, (struct sftp_request){ .op = SFTP_SYMLINK,
							     .path = PATH("target"),
							     .path2 = PATH("link") }),
			 SFTP_STATUS_OK);
	assert_int_equal(readlink("link", target, sizeof(target)), 6);
	assert_string_equal(target, "target");
	ask(w, (struct sftp_request){ .op = SFTP_READLINK, .path = PATH("link") });
	assert_int_equal(w->answer.count, 1);
}

static void rename_replaces_nothing_and_posix_rename_does(void **state)
{
	struct world *w = *state;
	struct sftp_request rename = { .op = SFTP_RENAME, .path = PATH("a"), .path2 = PATH("b") };

	make_file("a", "A");
	make_file("b", "B");
	assert_int_equal(status_of(w, rename), SFTP_STATUS_FAILURE);
	assert_file("b", "B");
	rename.op = SFTP_POSIX_RENAME;
	assert_int_equal(status_of(w, rename), SFTP_STATUS_OK);
	assert_file("b", "A");
	assert_int_equal(status_of(w, rename), SFTP_STATUS_NO_SUCH_FILE);
}

static void attributes_are_set_on_paths_handles_and_links(void **state)
{
	struct world *w = *state;
	struct sftp_request set = {
		.op = SFTP_SETSTAT,
		.path = PATH("f"),
		.attrs = { .flags = SFTP_ATTR_SIZE | SFTP_ATTR_MODE | SFTP_ATTR_TIMES,
			   .size = 2,
			   .mode = 0100640,
			   .atime = 7,
			   .mtime = 4000000000U },
	};
	struct stat st;

	make_file("f", "four");
	assert_int_equal(symlink("f", "l"), 0);
	assert_int_equal(status_of(w, set), SFTP_STATUS_OK);
	ask(w, (struct sftp_request){ .op = SFTP_STAT, .path = PATH("l") });
	assert_int_equal(w->answer.attrs.size, 2);
	assert_int_equal(w->answer.attrs.mode, 0100640);
	assert_int_equal(w->answer.attrs.mtime, 4000000000U);
	set.op = SFTP_LSETSTAT;
	set.path = PATH("l");
	set.attrs.flags = SFTP_ATTR_TIMES;
	set.attrs.mtime = 9;
	assert_int_equal(status_of(w, set), SFTP_STATUS_OK);
	ask(w, (struct sftp_request){ .op = SFTP_LSTAT, .path = PATH("l") });
	assert_int_equal(w->answer.attrs.mtime, 9);
	assert_int_equal(stat("f", &st), 0);
	assert_int_equal(st.st_mtime, 4000000000U);
}

static void a_directory_is_listed_whole_in_several_answers(void **state)
{
	struct world *w = *state;
	struct sftp_request list = { .op = SFTP_READDIR };
	struct sftp_name entry;
	uint8_t handle[8];
	char name[64];
	size_t count = 0, answers = 0;
	bool newline = false;

	assert_int_equal(mkdir("d", 0755), 0);
	for (int i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "d/a rather long name %d%s", i, i ? "" : "\n\xff");
		make_file(name, "");
	}
	ask(w, (struct sftp_request){ .op = SFTP_OPENDIR, .path = PATH("d") });
	memcpy(handle, w->answer.bytes.ptr, 8);
	list.handle = span_of(handle, 8);
	while (ask(w, list)->type == SFTP_TYPE_NAME) {
		assert_true(buf_len(&w->last) <= 100 * 1024);
		for (uint32_t i = 0; i < w->answer.count; i++, count++) {
			assert_true(sftp_name_cut(&w->answer.body, &entry));
			newline |= span_equal_str(entry.name, "a rather long name 0\n\xff");
		}
		answers++;
	}
	assert_int_equal(w->answer.code, SFTP_STATUS_EOF);
	assert_int_equal(count, 1502);
	assert_true(answers > 1 && newline);
	/* It is no file. */
	assert_int_equal(status_of(w, (struct sftp_request){ .op = SFTP_READ,
							     .handle = list.handle,
							     .length = 1 }),
			 SFTP_STATUS_FAILURE);
}

static const char *resolved(struct world *w, enum sftp_op op, const char *path)
{
	static char text[4096];
	struct sftp_name name;

	ask(w, (struct sftp_request){ .op = op, .path = PATH(path) });
	if (w->answer.type != SFTP_TYPE_NAME)
		return NULL;
	assert_true(sftp_name_cut(&w->answer.body, &name));
	snprintf(text, sizeof(text), "%.*s", (int)name.name.len, (const char *)name.name.ptr);
	return strncmp(text, dir, strlen(dir)) == 0 ? text + strlen(dir) : text;
}

static void paths_are_resolved_as_far_as_they_exist(void **state)
{
	struct world *w = *state;

	assert_int_equal(mkdir("d", 0755), 0);
	assert_int_equal(symlink("d/new", "dangling"), 0);
	assert_int_equal(symlink("loop", "loop"), 0);
	assert_string_equal(resolved(w, SFTP_REALPATH, ""), "");
	assert_string_equal(resolved(w, SFTP_REALPATH, "d/../d/./"), "/d");
	assert_string_equal(resolved(w, SFTP_REALPATH, "d/new/"), "/d/new");
	assert_string_equal(resolved(w, SFTP_REALPATH, "dangling"), "/d/new");
	assert_string_equal(resolved(w, SFTP_REALPATH, "/nowhere"), "/nowhere");
	assert_null(resolved(w, SFTP_REALPATH, "d/not/there"));
	assert_null(resolved(w, SFTP_REALPATH, "loop"));
	assert_string_equal(resolved(w, SFTP_EXPAND_PATH, "~"), "");
	assert_string_equal(resolved(w, SFTP_EXPAND_PATH, "~/d/x"), "/d/x");
	assert_string_equal(resolved(w, SFTP_EXPAND_PATH, "d"), "/d");
	assert_null(resolved(w, SFTP_EXPAND_PATH, "~nobody-at-all"));
	ask(w, (struct sftp_request){ .op = SFTP_HOME_DIRECTORY });
	assert_int_equal(w->answer.type, SFTP_TYPE_NAME);
}

static void data_is_copied_between_handles_and_never_over_itself(void **state)
{
	struct world *w = *state;
	uint8_t from[8], to[8];
	struct sftp_request copy = { .op = SFTP_COPY_DATA, .offset = 2, .length = 3, .offset2 = 1 };

	make_file("from", "0123456789");
	copy.handle = open_file(w, "from", SFTP_OPEN_READ | SFTP_OPEN_WRITE, from);
	copy.handle2 = open_file(w, "to", SFTP_OPEN_WRITE | SFTP_OPEN_CREATE, to);
	assert_int_equal(status_of(w, copy), SFTP_STATUS_OK);
	copy.length = 0;
	copy.offset = 8;
	copy.offset2 = 4;
	assert_int_equal(status_of(w, copy), SFTP_STATUS_OK);
	ask(w, (struct sftp_request){ .op = SFTP_STAT, .path = PATH("to") });
	assert_int_equal(w->answer.attrs.size, 6);
	copy.handle2 = copy.handle;
	assert_int_equal(status_of(w, copy), SFTP_STATUS_FAILURE);
}

static void the_sum_of_a_file_is_computed_where_it_is(void **state)
{
	struct world *w = *state;
	struct sftp_request check = { .op = SFTP_CHECK_FILE_NAME,
				      .path = PATH("f"),
				      .text = PATH("md5,sha256") };
	/* printf abc | sha256sum; printf '' | sha256sum */
	static const uint8_t abc[] =
		"\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23"
		"\xb0\x03\x61\xa3\x96\x17\x7a\x9c\xb4\x10\xff\x61\xf2\x00\x15\xad";
	static const uint8_t empty[] =
		"\xe3\xb0\xc4\x42\x98\xfc\x1c\x14\x9a\xfb\xf4\xc8\x99\x6f\xb9\x24"
		"\x27\xae\x41\xe4\x64\x9b\x93\x4c\xa4\x95\x99\x1b\x78\x52\xb8\x55";
	struct span body, name, algorithm;

	make_file("f", "xabc");
	check.offset = 1;
	body = ask(w, check)->body;
	assert_true(sftp_cut_string(&body, &name) && span_equal_str(name, "check-file"));
	assert_true(sftp_cut_string(&body, &algorithm) && span_equal_str(algorithm, "sha256"));
	assert_int_equal(body.len, 32);
	assert_memory_equal(body.ptr, abc, 32);
	check.offset = 4;
	body = ask(w, check)->body;
	assert_memory_equal(body.ptr + body.len - 32, empty, 32);
	check.block = 255;
	assert_int_equal(status_of(w, check), SFTP_STATUS_BAD_MESSAGE);
	check.block = 256;
	check.offset = 0;
	check.length = 3;
	assert_int_equal(ask(w, check)->body.len, 14 + 10 + 32);
	check.text = PATH("md5,sha1");
	assert_int_equal(status_of(w, check), SFTP_STATUS_OP_UNSUPPORTED);
}

static void paths_that_no_system_takes_are_refused(void **state)
{
	struct world *w = *state;
	static char longest[5000];

	memset(longest, 'x', sizeof(longest));
	assert_int_equal(
		status_of(w, (struct sftp_request){ .op = SFTP_STAT, .path = span_of("a\0b", 3) }),
		SFTP_STATUS_BAD_MESSAGE);
	assert_int_equal(
		status_of(w, (struct sftp_request){ .op = SFTP_STAT,
						    .path = span_of(longest, sizeof(longest)) }),
		SFTP_STATUS_BAD_MESSAGE);
	assert_int_equal(status_of(w, (struct sftp_request){ .op = SFTP_STAT }),
			 SFTP_STATUS_NO_SUCH_FILE);
	assert_int_equal(status_of(w, (struct sftp_request){ .op = SFTP_READ,
							     .handle = PATH("nonsense"),
							     .length = 1 }),
			 SFTP_STATUS_FAILURE);
}

static void what_is_not_known_is_unsupported_and_the_session_goes_on(void **state)
{
	struct world *w = *state;

	assert_true(buf_append(&w->in, "\0\0\0\5\x63\0\0\0\7", 9));
	assert_true(buf_append(&w->in, "\0\0\0\6\7\0\0\0\x8\0", 10));
	assert_int_equal(sftp_server_serve(w->server, &w->in, &w->out, NULL), 0);
	assert_int_equal(take_answer(w)->code, SFTP_STATUS_OP_UNSUPPORTED);
	assert_int_equal(w->answer.id, 7);
	assert_int_equal(take_answer(w)->code, SFTP_STATUS_BAD_MESSAGE);
	assert_int_equal(w->answer.id, 8);
	assert_int_equal(ask(w, (struct sftp_request){ .op = SFTP_LIMITS })->body.len, 32);
}

static void answers_wait_when_the_output_is_full(void **state)
{
	struct world *w = *state;
	uint8_t name[8];
	struct sftp_request read = { .op = SFTP_READ, .length = UINT32_MAX };
	size_t answered = 0;
	int more = 1;

	make_file("f", "");
	assert_int_equal(truncate("f", 64 << 20), 0);
	read.handle = open_file(w, "f", SFTP_OPEN_READ, name);
	for (size_t i = 0; i < 1000; i++)
		assert_true(sftp_request_append(&w->in, &read));
	while (more > 0) {
		more = sftp_server_serve(w->server, &w->in, &w->out, NULL);
		assert_true(more >= 0 && buf_len(&w->out) <= SFTP_SERVER_OUT_MAX);
		while (buf_len(&w->out) > 0) {
			assert_int_equal(take_answer(w)->bytes.len, SFTP_BYTES_MAX);
			answered++;
		}
	}
	assert_int_equal(answered, 1000);
}

static void what_is_not_sftp_ends_the_session(void **state)
{
	static const char *const first[] = { "GET / HTTP/1.1\r\n", "\0\0\0\0" };
	cleanup(buf_finish) struct buf out = BUF_INIT(SFTP_SERVER_OUT_MAX);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(first); i++) {
		cleanup(sftp_server_free) struct sftp_server *server = sftp_server_new();
		cleanup(buf_finish) struct buf in = BUF_INIT(64);
		struct err err = { 0 };

		assert_true(buf_append(&in, first[i], 4));
		assert_int_equal(sftp_server_serve(server, &in, &out, &err), -1);
		assert_int_equal(err.kind, ERR_PROTOCOL);
		assert_int_equal(buf_len(&out), 0);
	}
}

#define with_server(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_server(a_file_is_written_read_and_closed),
		with_server(appending_ignores_the_offset_and_exclusive_refuses_what_is_there),
		with_server(a_symlink_has_its_target_first),
		with_server(rename_replaces_nothing_and_posix_rename_does),
		with_server(attributes_are_set_on_paths_handles_and_links),
		with_server(a_directory_is_listed_whole_in_several_answers),
		with_server(paths_are_resolved_as_far_as_they_exist),
		with_server(data_is_copied_between_handles_and_never_over_itself),
		with_server(the_sum_of_a_file_is_computed_where_it_is),
		with_server(paths_that_no_system_takes_are_refused),
		with_server(what_is_not_known_is_unsupported_and_the_session_goes_on),
		with_server(answers_wait_when_the_output_is_full),
		with_server(what_is_not_sftp_ends_the_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
