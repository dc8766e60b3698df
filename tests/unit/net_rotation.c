/* SPDX-License-Identifier: MIT */
/* Each step of a rotation replaces one file: all states that it can be killed in. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "tunnel/net/job_file.h"
#include "tunnel/net/jsonfile.h"
#include "tunnel/net/rotation.h"

static char dir[] = "/tmp/berth-rotation-XXXXXX";
static char *job_path, *client_path, *next_path;

static struct rotation rotation(void)
{
	return (struct rotation){ job_path, client_path };
}

static void write_job(const struct key_public *peer)
{
	struct job_file job = { .secret = { { 7 } }, .idle_timeout_s = 60, .connections = 3 };
	cleanup(buf_finish) struct buf text = BUF_INIT(JSONFILE_MAX);

	key_set_add(&job.peers, peer);
	assert_true(job_file_format(&job, &text));
	assert_int_equal(fs_write_file(job_path, buf_span(&text), 0600, NULL), 0);
}

static void read_pair(struct job_file *job, struct client_file *client)
{
	assert_int_equal(job_file_read(job_path, job, NULL), 0);
	assert_int_equal(client_file_read(client_path, client, NULL), 0);
}

/* What must hold at every moment; returns the number of keys that get in. */
static size_t assert_client_gets_in(void)
{
	cleanup(job_file_finish) struct job_file job = { 0 };
	cleanup(client_file_finish) struct client_file client = { 0 };

	read_pair(&job, &client);
	assert_true(key_set_has(&job.peers, &client.key.public));
	assert_true(secret_equal(&job.secret, &client.secret));
	assert_int_equal(job.connections, 3);
	return job.peers.len;
}

static int set_up(void **state)
{
	cleanup(client_file_finish) struct client_file client = { .secret = { { 7 } } };
	cleanup(buf_finish) struct buf text = BUF_INIT(JSONFILE_MAX);

	(void)state;
	memset(dir + sizeof(dir) - 7, 'X', 6);
	if (!mkdtemp(dir) || key_pair_generate(&client.key, NULL) < 0)
		return -1;
	job_path = fs_join(dir, "tunnel.json");
	client_path = fs_join(dir, "client.json");
	next_path = fs_join(dir, "client.json.new");
	write_job(&client.key.public);
	assert_true(client_file_format(&client, &text));
	return fs_write_file(client_path, buf_span(&text), 0600, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	free(job_path);
	free(client_path);
	free(next_path);
	return fs_remove_tree(dir, NULL);
}

static void rotate(void)
{
	const struct rotation r = rotation();

	assert_int_equal(rotation_begin(&r, NULL), 0);
	assert_int_equal(assert_client_gets_in(), 2);
	assert_int_equal(rotation_finish(&r, NULL), 0);
	assert_int_equal(assert_client_gets_in(), 1);
	assert_false(fs_exists(next_path));
}

static void a_rotation_leaves_one_key_that_is_new(void **state)
{
	cleanup(job_file_finish) struct job_file before = { 0 }, after = { 0 };
	cleanup(client_file_finish) struct client_file one = { 0 }, two = { 0 };

	(void)state;
	read_pair(&before, &one);
	rotate();
	read_pair(&after, &two);
	assert_false(key_public_equal(&one.key.public, &two.key.public));
	assert_false(key_set_has(&after.peers, &one.key.public));
}

static void another_key_goes_the_same_ways(void **state)
{
	cleanup(client_file_finish) struct client_file one = { 0 }, two = { 0 };
	cleanup(job_file_finish) struct job_file job = { 0 };
	cleanup(buf_finish) struct buf text = BUF_INIT(JSONFILE_MAX);
	const struct rotation r = rotation();

	(void)state;
	read_pair(&job, &one);
	one.login = str_dup("login1");
	one.paths = PATH_MASK(PATH_LOGIN);
	assert_true(client_file_format(&one, &text));
	assert_int_equal(fs_write_file(client_path, buf_span(&text), 0600, NULL), 0);
	assert_int_equal(rotation_begin(&r, NULL), 0);
	assert_int_equal(rotation_finish(&r, NULL), 0);
	assert_int_equal(client_file_read(client_path, &two, NULL), 0);
	assert_false(key_public_equal(&one.key.public, &two.key.public));
	assert_string_equal(two.login, "login1");
	assert_int_equal(two.paths, PATH_MASK(PATH_LOGIN));
}

/* Puts the job's file back to what it was, as if the step that wrote it had not happened. */
static void keep(struct buf *ret)
{
	assert_int_equal(fs_read_file(job_path, JSONFILE_MAX, ret, NULL), 0);
}

static void put_back(struct buf *text)
{
	assert_int_equal(fs_write_file(job_path, buf_span(text), 0600, NULL), 0);
}

static void killed_at_any_step_it_leaves_a_way_in_and_can_be_begun_again(void **state)
{
	const struct rotation r = rotation();

	(void)state;
	for (int step = 1; step <= 4; step++) {
		cleanup(buf_finish) struct buf before = BUF_INIT(JSONFILE_MAX);
		cleanup(buf_finish) struct buf both = BUF_INIT(JSONFILE_MAX);

		keep(&before);
		assert_int_equal(rotation_begin(&r, NULL), 0);
		keep(&both);
		if (step == 1)
			put_back(&before);
		if (step >= 3)
			assert_int_equal(rotation_finish(&r, NULL), 0);
		if (step == 3)
			put_back(&both);
		assert_int_equal(fs_exists(next_path), step < 3);
		assert_int_equal(assert_client_gets_in(), step == 2 || step == 3 ? 2 : 1);
		rotate();
	}
}

static void finishing_can_be_repeated_and_needs_a_beginning(void **state)
{
	const struct rotation r = rotation();
	cleanup(buf_finish) struct buf before = BUF_INIT(JSONFILE_MAX);
	struct err err;

	(void)state;
	rotate();
	assert_int_equal(rotation_finish(&r, &err), 0);
	assert_int_equal(assert_client_gets_in(), 1);
	/* A new key that the job was never told of is not taken. */
	keep(&before);
	assert_int_equal(rotation_begin(&r, &err), 0);
	put_back(&before);
	assert_int_equal(rotation_finish(&r, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.text, "rotate the key again"));
	assert_int_equal(assert_client_gets_in(), 1);
}

static void a_revoked_key_gets_in_no_more_and_another_can_be_made(void **state)
{
	const struct rotation r = rotation();
	cleanup(job_file_finish) struct job_file job = { 0 };
	cleanup(client_file_finish) struct client_file client = { 0 };

	(void)state;
	assert_int_equal(rotation_begin(&r, NULL), 0);
	assert_int_equal(rotation_revoke(job_path, NULL), 0);
	read_pair(&job, &client);
	assert_int_equal(job.peers.len, 1);
	assert_false(key_set_has(&job.peers, &client.key.public));
	/* Not even the next one. */
	assert_int_equal(rotation_finish(&r, NULL), -1);
	assert_int_equal(unlink(client_path), 0);
	assert_int_equal(rotation_begin(&r, NULL), 0);
	assert_int_equal(rotation_finish(&r, NULL), 0);
	assert_int_equal(assert_client_gets_in(), 1);
}

int main(void)
{
#define ROTATION_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROTATION_TEST(a_rotation_leaves_one_key_that_is_new),
		ROTATION_TEST(another_key_goes_the_same_ways),
		ROTATION_TEST(killed_at_any_step_it_leaves_a_way_in_and_can_be_begun_again),
		ROTATION_TEST(finishing_can_be_repeated_and_needs_a_beginning),
		ROTATION_TEST(a_revoked_key_gets_in_no_more_and_another_can_be_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
