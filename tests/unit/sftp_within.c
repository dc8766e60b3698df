/* SPDX-License-Identifier: MIT */
/* Copies within one server: it copies by itself, or the bytes are carried where it cannot. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/fs.h"
#include "tunnel/sftp/copy.h"
#include "tunnel/sftp/server.h"

#define SIZE (65U * 1024 * 1024)

struct world {
	struct sftp_client client;
	struct sftp_server *server;
	struct buf requests, answers;
	bool refuses; /* to copy by itself */
	size_t copies, reads;
	char dir[64];
};

static struct world w;

static int set_up(void **state)
{
	(void)state;
	w = (struct world){ .dir = "/tmp/berth-within.XXXXXX" };
	if (!mkdtemp(w.dir))
		return -1;
	sftp_client_init(&w.client);
	w.server = sftp_server_new();
	buf_init(&w.requests, SFTP_CLIENT_OUT_MAX);
	buf_init(&w.answers, SFTP_SERVER_OUT_MAX);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sftp_client_finish(&w.client);
	sftp_server_free(w.server);
	buf_finish(&w.requests);
	buf_finish(&w.answers);
	return fs_remove_tree(w.dir, NULL);
}

static void refuse(uint32_t id)
{
	size_t at = 0;

	assert_true(sftp_packet_begin(&w.answers, SFTP_TYPE_STATUS, id, &at));
	assert_true(buf_append_u32(&w.answers, SFTP_STATUS_OP_UNSUPPORTED));
	sftp_packet_end(&w.answers, at);
}

/* What the server is not to know is answered here. */
static void pass_on(struct span packet)
{
	struct sftp_request request;
	bool is_request = sftp_request_parse(packet, &request, NULL) == 0;

	w.copies += is_request && request.op == SFTP_COPY_DATA;
	w.reads += is_request && request.op == SFTP_READ;
	if (is_request && request.op == SFTP_COPY_DATA && w.refuses) {
		refuse(request.id);
		return;
	}
	assert_true(buf_append_u32(&w.requests, (uint32_t)packet.len));
	assert_true(buf_append_span(&w.requests, packet));
}

static void copy_all(struct copy *copy)
{
	while (!copy_is_over(copy)) {
		struct span out, packet;

		copy_turn(copy);
		out = buf_span(&w.client.out);
		while (sftp_packet_cut(&out, &packet) > 0)
			pass_on(packet);
		buf_consume(&w.client.out, buf_len(&w.client.out) - out.len);
		assert_true(sftp_server_serve(w.server, &w.requests, &w.answers, NULL) >= 0);
		assert_int_equal(sftp_client_feed(&w.client, &w.answers, NULL), 0);
	}
}

static void complain(void *user, bool is_source, const char *path, const struct err *why)
{
	(void)user, (void)is_source;
	fail_msg("%s: %s", path, why->text);
}

static const struct copy_ops ops = { .complain = complain };

/* Most of it is a hole; its end is not. */
static void copy_one_file(void)
{
	cleanup_free char *from = fs_join(w.dir, "from"), *to = fs_join(w.dir, "to");
	const char *const sources[] = { from };
	const struct copy_config config = { .from = &w.client,
					    .to = &w.client,
					    .sources = sources,
					    .names = sources,
					    .sources_len = 1,
					    .target = to,
					    .ops = &ops };
	cleanup(copy_free) struct copy *copy = NULL;
	cleanup_close int fd = fd_open_mode(from, O_RDWR | O_CREAT, 0600);
	cleanup_close int copied = -1;
	char end[4] = "";
	struct stat st;

	assert_int_equal(pwrite(fd, "end", 3, SIZE - 3), 3);
	copy = copy_new(&config);
	copy_all(copy);
	copied = fd_open(to, O_RDONLY);
	assert_int_equal(fstat(copied, &st), 0);
	assert_int_equal(st.st_size, SIZE);
	assert_int_equal(pread(copied, end, 3, SIZE - 3), 3);
	assert_string_equal(end, "end");
	assert_int_equal(copy_totals(copy)->bytes, SIZE);
}

static void one_server_copies_by_itself(void **state)
{
	(void)state;
	copy_one_file();
	assert_int_equal(w.reads, 0);
	assert_int_equal(w.copies, 2);
}

static void what_one_server_cannot_copy_is_carried(void **state)
{
	(void)state;
	w.refuses = true;
	copy_one_file();
	assert_true(w.reads > 0);
	assert_int_equal(w.copies, 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_server_copies_by_itself),
		TEST(what_one_server_cannot_copy_is_carried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
