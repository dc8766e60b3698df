/* SPDX-License-Identifier: MIT */
/* Copies in memory: a source that says what a test wants, a target that notes what it is asked. */
#include "tests/unit/unit.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "init/base/alloc.h"
#include "tunnel/sftp/copy_internal.h"

struct entry {
	const char *name;
	mode_t mode;
};

struct world {
	const char *const *names; /* NULL: as the sources */
	struct sftp_client from, to;
	struct copy *copy;
	/* What the source is. */
	const struct entry *entries;
	size_t entries_len;
	mode_t source_mode, target_mode; /* 0: a file; nothing is there */
	bool listed;
	uint64_t open_flags; /* of the target */
	struct sftp_attrs set;
	const char *link;
	size_t size, at_once; /* of the file, and of one read */
	uint8_t target_sum;   /* the first byte of the sum that the target computes */
	uint32_t write_status;
	/* What was asked of the target, one line each, and what was complained about. */
	struct buf log, complaints;
	struct buf content;
};

static struct world w;

static void complain(void *user, bool is_source, const char *path, const struct err *why)
{
	(void)user;
	assert_true(buf_printf(&w.complaints, "%s %s: %s\n", is_source ? "from" : "to", path,
			       why->text));
}

static const struct copy_ops ops = { .complain = complain };

static void begin(struct copy_options options)
{
	static const char *const sources[] = { "src" };
	const struct copy_config config = {
		.options = options,
		.from = &w.from,
		.to = &w.to,
		.sources = sources,
		.names = w.names ? w.names : sources,
		.sources_len = 1,
		.target = "dst",
		.ops = &ops,
	};

	sftp_client_init(&w.from);
	sftp_client_init(&w.to);
	w.copy = copy_new(&config);
}

static int set_up(void **state)
{
	(void)state;
	w = (struct world){ .size = 10, .at_once = 1 << 20, .target_sum = 's' };
	buf_init(&w.log, 65536);
	buf_init(&w.complaints, 65536);
	buf_init(&w.content, 1 << 26);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	w.copy = copy_free(w.copy);
	sftp_client_finish(&w.from);
	sftp_client_finish(&w.to);
	buf_finish(&w.log);
	buf_finish(&w.complaints);
	buf_finish(&w.content);
	return 0;
}

static void put(bool ok)
{
	assert_true(ok);
}

static size_t start(struct buf *in, enum sftp_type type, uint32_t id)
{
	size_t at = 0;

	put(sftp_packet_begin(in, (uint8_t)type, id, &at));
	return at;
}

static void put_status(struct buf *in, uint32_t id, uint32_t status)
{
	size_t at = start(in, SFTP_TYPE_STATUS, id);

	put(buf_append_u32(in, status));
	sftp_packet_end(in, at);
}

static void put_stat(struct buf *in, uint32_t id, mode_t mode, uint64_t size)
{
	const struct sftp_attrs attrs = { .flags = SFTP_ATTR_MODE | SFTP_ATTR_SIZE,
					  .mode = mode,
					  .size = size };
	size_t at = start(in, SFTP_TYPE_ATTRS, id);

	put(sftp_append_attrs(in, &attrs));
	sftp_packet_end(in, at);
}

static void put_text(struct buf *in, enum sftp_type type, uint32_t id, const char *text)
{
	size_t at = start(in, type, id);

	put(sftp_append_string(in, span_of_str(text)));
	sftp_packet_end(in, at);
}

static void put_names(struct buf *in, uint32_t id, const struct entry *entries, size_t len)
{
	size_t at = start(in, SFTP_TYPE_NAME, id);

	put(buf_append_u32(in, (uint32_t)len));
	for (size_t i = 0; i < len; i++) {
		const struct sftp_attrs attrs = { .flags = SFTP_ATTR_MODE | SFTP_ATTR_SIZE,
						  .mode = entries[i].mode,
						  .size = w.size };

		put(sftp_append_string(in, span_of_str(entries[i].name)));
		put(sftp_append_string(in, span_of_str("long")));
		put(sftp_append_attrs(in, &attrs));
	}
	sftp_packet_end(in, at);
}

static void put_sum(struct buf *in, uint32_t id, uint8_t first)
{
	size_t at = start(in, SFTP_TYPE_EXTENDED_REPLY, id);
	uint8_t sum[32] = { first };

	put(sftp_append_string(in, span_of_str("check-file")));
	put(sftp_append_string(in, span_of_str("sha256")));
	put(buf_append(in, sum, sizeof(sum)));
	sftp_packet_end(in, at);
}

static void put_content(struct buf *in, const struct sftp_request *request)
{
	size_t len = MIN(MIN((size_t)request->length, w.at_once),
			 w.size - MIN(w.size, (size_t)request->offset));
	size_t at;

	if (len == 0) {
		put_status(in, request->id, SFTP_STATUS_EOF);
		return;
	}
	at = start(in, SFTP_TYPE_DATA, request->id);
	put(buf_append_u32(in, (uint32_t)len));
	for (size_t i = 0; i < len; i++)
		put(buf_append_u8(in, (uint8_t)('a' + (request->offset + i) % 26)));
	sftp_packet_end(in, at);
}

static void answer_source(const struct sftp_request *request, struct buf *in)
{
	const struct entry target = { w.link ? w.link : "where/it/leads", 0 };

	if (request->op == SFTP_STAT)
		put_stat(in, request->id, w.source_mode ? w.source_mode : S_IFREG | 0640, w.size);
	else if (request->op == SFTP_OPEN || request->op == SFTP_OPENDIR)
		put_text(in, SFTP_TYPE_HANDLE, request->id, "s");
	else if (request->op == SFTP_READ)
		put_content(in, request);
	else if (request->op == SFTP_READLINK)
		put_names(in, request->id, &target, 1);
	else if (request->op == SFTP_CHECK_FILE_HANDLE)
		put_sum(in, request->id, 's');
	else if (request->op == SFTP_READDIR && !w.listed)
		put_names(in, request->id, w.entries, w.entries_len);
	else
		put_status(in, request->id,
			   request->op == SFTP_READDIR ? SFTP_STATUS_EOF : SFTP_STATUS_OK);
	w.listed |= request->op == SFTP_READDIR;
}

static void note(const char *what, struct span first, struct span second)
{
	put(buf_printf(&w.log, "%s %.*s%s%.*s\n", what, (int)first.len, (const char *)first.ptr,
		       second.len ? " " : "", (int)second.len, (const char *)second.ptr));
}

static void answer_target(const struct sftp_request *request, struct buf *in)
{
	const struct span none = span_of_str("");

	if (request->op == SFTP_STAT && w.target_mode) {
		put_stat(in, request->id, w.target_mode, 0);
	} else if (request->op == SFTP_STAT || request->op == SFTP_LSTAT) {
		put_status(in, request->id, SFTP_STATUS_NO_SUCH_FILE);
	} else if (request->op == SFTP_OPEN) {
		note("open", request->path, none);
		w.open_flags = request->flags;
		put_text(in, SFTP_TYPE_HANDLE, request->id, "t");
	} else if (request->op == SFTP_CHECK_FILE_HANDLE) {
		put_sum(in, request->id, w.target_sum);
	} else if (request->op == SFTP_WRITE) {
		put(buf_append_span(&w.content, request->bytes));
		put_status(in, request->id, w.write_status);
	} else {
		if (request->op == SFTP_FSETSTAT)
			w.set = request->attrs;
		if (request->op == SFTP_POSIX_RENAME)
			note("rename", request->path, request->path2);
		else if (request->op == SFTP_SYMLINK)
			note("symlink", request->path, request->path2);
		else if (request->op == SFTP_REMOVE || request->op == SFTP_MKDIR)
			note(request->op == SFTP_MKDIR ? "mkdir" : "remove", request->path, none);
		put_status(in, request->id, SFTP_STATUS_OK);
	}
}

static void serve(struct sftp_client *client,
		  void (*answer)(const struct sftp_request *request, struct buf *in))
{
	cleanup(buf_finish) struct buf in = BUF_INIT(1 << 26);
	struct span rest = buf_span(&client->out), packet;
	struct sftp_request request;

	while (sftp_packet_cut(&rest, &packet) > 0) {
		if (packet.ptr[0] == SFTP_TYPE_INIT) {
			put(buf_append(&in, "\0\0\0\5\2\0\0\0\3", 9));
			continue;
		}
		assert_int_equal(sftp_request_parse(packet, &request, NULL), 0);
		answer(&request, &in);
	}
	buf_clear(&client->out);
	assert_int_equal(sftp_client_feed(client, &in, NULL), 0);
}

static void run(void)
{
	for (int turns = 0; !copy_is_over(w.copy); turns++) {
		assert_true(turns < 1000);
		copy_turn(w.copy);
		serve(&w.from, answer_source);
		serve(&w.to, answer_target);
	}
}

static bool has(const char *text)
{
	return strstr(buf_str(&w.log), text) != NULL;
}

static void a_file_gets_its_name_last(void **state)
{
	(void)state;
	begin((struct copy_options){ 0 });
	run();
	assert_string_equal(buf_str(&w.content), "abcdefghij");
	assert_true(has("open .dst.") && has(".berth-part\nrename .dst.") &&
		    has(".berth-part dst\n"));
	assert_string_equal(buf_str(&w.complaints), "");
	assert_int_equal(copy_totals(w.copy)->files, 1);
	assert_int_equal(copy_totals(w.copy)->bytes, 10);
}

static void short_reads_lose_nothing(void **state)
{
	(void)state;
	w.size = 700000;
	w.at_once = 99999;
	begin((struct copy_options){ 0 });
	run();
	assert_int_equal(buf_len(&w.content), w.size);
	assert_string_equal(buf_str(&w.complaints), "");
}

static void no_more_is_under_way_than_allowed(void **state)
{
	(void)state;
	w.size = 1 << 30;
	w.write_status = SFTP_STATUS_FAILURE;
	begin((struct copy_options){ 0 });
	for (int i = 0; i < 4; i++) {
		copy_turn(w.copy);
		assert_true(w.from.under_way <= COPY_CHUNKS_MAX);
		serve(&w.to, answer_target);
		serve(&w.from, answer_source);
	}
	run();
}

static void what_cannot_be_written_is_removed_and_told_once(void **state)
{
	(void)state;
	w.size = 1 << 20;
	w.write_status = SFTP_STATUS_PERMISSION_DENIED;
	begin((struct copy_options){ 0 });
	run();
	assert_true(has("remove .dst.") && !has("rename"));
	assert_string_equal(buf_str(&w.complaints), "to dst: permission denied\n");
	assert_int_equal(copy_totals(w.copy)->first, ERR_DENIED);
}

static void a_copy_that_differs_gets_no_name(void **state)
{
	(void)state;
	w.target_sum = 'x';
	begin((struct copy_options){ .verify = true });
	run();
	assert_true(has("remove .dst.") && !has("rename"));
	assert_non_null(strstr(buf_str(&w.complaints), "not what the source has"));
}

static void names_that_lead_out_of_the_target_are_refused(void **state)
{
	static const struct entry entries[] = {
		{ "../escape", S_IFREG }, { "/etc/passwd", S_IFREG }, { "", S_IFREG },
		{ "a/b", S_IFDIR },	  { "..", S_IFDIR },	      { ".", S_IFDIR },
		{ "good", S_IFREG },	  { "link", S_IFLNK },
	};

	(void)state;
	w.source_mode = S_IFDIR | 0755;
	w.entries = entries;
	w.entries_len = ARRAY_LEN(entries);
	begin((struct copy_options){ .recursive = true });
	run();
	assert_true(has("mkdir dst\n") && has(" dst/good\n") && has(" dst/link\n") &&
		    has("symlink where/it/leads dst/.link."));
	assert_false(has("..") || has("etc") || has("escape") || has("/b"));
	assert_int_equal(copy_totals(w.copy)->failures, 4);
	assert_int_equal(copy_totals(w.copy)->files, 2);
}

static void a_name_or_a_link_too_long_for_any_file_is_refused(void **state)
{
	static char name[NAME_MAX + 2], path[PATH_MAX + 1];
	const struct entry entries[] = { { name, S_IFREG }, { "link", S_IFLNK } };

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	memset(path, 'p', sizeof(path) - 1);
	w.source_mode = S_IFDIR | 0755;
	w.entries = entries;
	w.entries_len = ARRAY_LEN(entries);
	w.link = path;
	begin((struct copy_options){ .recursive = true });
	run();
	assert_false(has("nnn") || has("symlink"));
	assert_int_equal(copy_totals(w.copy)->failures, 2);
}

static void a_source_that_claims_to_be_a_link_is_none(void **state)
{
	(void)state;
	w.source_mode = S_IFLNK | 0777;
	begin((struct copy_options){ .recursive = true });
	run();
	assert_string_equal(buf_str(&w.log), "");
	assert_int_equal(copy_totals(w.copy)->failures, 1);
}

static void what_a_source_is_called_in_the_target_is_up_to_the_user(void **state)
{
	static const char *const names[] = { "~/typed" };

	(void)state;
	w.names = names;
	w.target_mode = S_IFDIR | 0755;
	begin((struct copy_options){ 0 });
	run();
	assert_true(has(" dst/typed\n"));
	assert_false(has("src"));
}

static void an_incomplete_file_is_not_looked_for_behind_a_link(void **state)
{
	(void)state;
	begin((struct copy_options){ .resume = true });
	run();
	assert_true(w.open_flags & SFTP_OPEN_NOFOLLOW);
}

static void no_copy_runs_as_its_owner(void **state)
{
	(void)state;
	w.source_mode = S_IFREG | 06755;
	begin((struct copy_options){ .preserve = true });
	run();
	assert_int_equal(w.set.mode & 07777, 0755);
}

static void a_stopped_copy_removes_what_it_began(void **state)
{
	(void)state;
	w.size = 1 << 30;
	begin((struct copy_options){ 0 });
	for (int i = 0; i < 5; i++) {
		copy_turn(w.copy);
		serve(&w.from, answer_source);
		serve(&w.to, answer_target);
	}
	copy_stop(w.copy);
	run();
	assert_true(has("remove .dst.") && !has("rename"));
	assert_string_equal(buf_str(&w.complaints), "");
}

static void when_the_source_is_gone_the_target_is_tidied(void **state)
{
	(void)state;
	w.size = 1 << 30;
	begin((struct copy_options){ 0 });
	for (int i = 0; i < 5; i++) {
		copy_turn(w.copy);
		serve(&w.from, answer_source);
		serve(&w.to, answer_target);
	}
	copy_stop(w.copy);
	for (int turns = 0; !copy_is_over(w.copy); turns++) {
		assert_true(turns < 100);
		sftp_client_drop(&w.from);
		serve(&w.to, answer_target);
	}
	assert_true(has("remove .dst."));
}

static void part_names_are_never_too_long_and_resumed_ones_are_known(void **state)
{
	char name[300];
	cleanup_free char *known = copy_part_path("dir/name", true);
	cleanup_free char *one = copy_part_path("name", false);
	cleanup_free char *other = copy_part_path("name", false);
	cleanup_free char *longest = NULL;

	(void)state;
	assert_string_equal(known, "dir/.name.berth-part");
	assert_string_not_equal(one, other);
	memset(name, 'x', 255);
	name[255] = '\0';
	longest = copy_part_path(name, false);
	assert_int_equal(strlen(longest), 255);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_gets_its_name_last),
		TEST(short_reads_lose_nothing),
		TEST(no_more_is_under_way_than_allowed),
		TEST(what_cannot_be_written_is_removed_and_told_once),
		TEST(a_copy_that_differs_gets_no_name),
		TEST(names_that_lead_out_of_the_target_are_refused),
		TEST(a_name_or_a_link_too_long_for_any_file_is_refused),
		TEST(a_source_that_claims_to_be_a_link_is_none),
		TEST(what_a_source_is_called_in_the_target_is_up_to_the_user),
		TEST(an_incomplete_file_is_not_looked_for_behind_a_link),
		TEST(no_copy_runs_as_its_owner),
		TEST(a_stopped_copy_removes_what_it_began),
		TEST(when_the_source_is_gone_the_target_is_tidied),
		cmocka_unit_test(part_names_are_never_too_long_and_resumed_ones_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
