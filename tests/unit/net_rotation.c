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
	return (struct rotation){ .job_file = job_path,
				  .client_file = client_path,
				  .name = "desk" };
}

static void write_job(const struct key_public *peer)
{
	struct job_file job = { .secret = { { 7 } }, .idle_timeout_s = 60, .connections = 3 };
	cleanup(buf_finish) struct buf text = BUF_INIT(JSONFILE_MAX);

	job.peers[job.peers_len++].key = *peer;
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
	struct key_set keys;

	read_pair(&job, &client);
	assert_non_null(job_file_find_peer(&job, &client.key.public));
	assert_true(secret_equal(&job.secret, &client.secret));
	assert_int_equal(job.connections, 3);
	job_file_keys(&job, &keys);
	return keys.len;
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
	assert_null(job_file_find_peer(&after, &one.key.public));
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
	assert_int_equal(rotation_revoke(job_path, NULL, NULL), 0);
	read_pair(&job, &client);
	assert_int_equal(job.peers_len, 1);
	assert_null(job_file_find_peer(&job, &client.key.public));
	/* Not even the next one. */
	assert_int_equal(rotation_finish(&r, NULL), -1);
	assert_int_equal(unlink(client_path), 0);
	assert_int_equal(rotation_begin(&r, NULL), 0);
	assert_int_equal(rotation_finish(&r, NULL), 0);
	assert_int_equal(assert_client_gets_in(), 1);
}

/* The job's file names its workstation, as that of each new job does. */
static void name_the_first(void)
{
	cleanup(job_file_finish) struct job_file job = { 0 };
	cleanup(buf_finish) struct buf text = BUF_INIT(JSONFILE_MAX);

	assert_int_equal(job_file_read(job_path, &job, NULL), 0);
	memcpy(job.peers[0].name, "desk", 5);
	assert_true(job_file_format(&job, &text));
	assert_int_equal(fs_write_file(job_path, buf_span(&text), 0600, NULL), 0);
}

/* Another workstation's client file. */
static struct rotation elsewhere(char **ret_path)
{
	*ret_path = fs_join(dir, "other.json");
	return (struct rotation){ .job_file = job_path,
				  .client_file = *ret_path,
				  .name = "desk",
				  .login = "login1",
				  .no_punch = true };
}

static void assert_gets_in(const char *client_path_there)
{
	cleanup(job_file_finish) struct job_file job = { 0 };
	cleanup(client_file_finish) struct client_file client = { 0 };

	assert_int_equal(job_file_read(job_path, &job, NULL), 0);
	assert_int_equal(client_file_read(client_path_there, &client, NULL), 0);
	assert_non_null(job_file_find_peer(&job, &client.key.public));
}

static void another_workstation_is_let_in_and_the_first_stays(void **state)
{
	cleanup_free char *path = NULL;
	const struct rotation there = elsewhere(&path);
	cleanup(client_file_finish) struct client_file client = { 0 };
	cleanup(job_file_finish) struct job_file job = { 0 };

	(void)state;
	name_the_first();
	assert_int_equal(rotation_begin(&there, NULL), 0);
	assert_int_equal(assert_client_gets_in(), 2);
	assert_int_equal(rotation_finish(&there, NULL), 0);
	assert_int_equal(assert_client_gets_in(), 2);
	assert_gets_in(path);
	assert_int_equal(client_file_read(path, &client, NULL), 0);
	assert_string_equal(client.login, "login1");
	assert_false(path_mask_has(client.paths, PATH_PUNCHED));
	assert_int_equal(job_file_read(job_path, &job, NULL), 0);
	assert_string_equal(job.peers[1].name, "desk-2");
}

static void each_replaces_its_own_key_and_nobody_elses(void **state)
{
	cleanup_free char *path = NULL;
	const struct rotation here = rotation(), there = elsewhere(&path);

	(void)state;
	name_the_first();
	for (int i = 0; i < 3; i++) {
		assert_int_equal(rotation_begin(&there, NULL), 0);
		/* Somebody else begins and ends one in between. */
		assert_int_equal(rotation_begin(&here, NULL), 0);
		assert_int_equal(rotation_finish(&here, NULL), 0);
		assert_int_equal(rotation_finish(&there, NULL), 0);
		assert_int_equal(assert_client_gets_in(), 2);
		assert_gets_in(path);
	}
}

static void a_first_key_that_was_interrupted_is_no_second_workstation(void **state)
{
	cleanup_free char *path = NULL;
	const struct rotation there = elsewhere(&path);

	(void)state;
	name_the_first();
	assert_int_equal(rotation_begin(&there, NULL), 0);
	assert_int_equal(rotation_begin(&there, NULL), 0);
	assert_int_equal(rotation_finish(&there, NULL), 0);
	assert_int_equal(assert_client_gets_in(), 2);
	assert_gets_in(path);
}

static void one_workstation_is_sent_away_and_the_others_stay(void **state)
{
	cleanup_free char *path = NULL;
	const struct rotation there = elsewhere(&path);
	struct err err;

	(void)state;
	name_the_first();
	assert_int_equal(rotation_begin(&there, NULL), 0);
	assert_int_equal(rotation_finish(&there, NULL), 0);
	assert_int_equal(rotation_revoke(job_path, "nobody", &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(err.text, "desk, desk-2"));
	assert_int_equal(rotation_revoke(job_path, "desk-2", NULL), 0);
	assert_int_equal(assert_client_gets_in(), 1);
	/* The first one as well: then nobody is left. */
	assert_int_equal(rotation_revoke(job_path, "desk", NULL), 0);
	assert_int_equal(rotation_revoke(job_path, "desk", &err), -1);
	assert_int_equal(rotation_begin(&there, NULL), 0);
	assert_int_equal(rotation_finish(&there, NULL), 0);
	assert_gets_in(path);
}

static void a_ninth_workstation_is_refused(void **state)
{
	struct err err;

	(void)state;
	name_the_first();
	for (int i = 2; i <= JOB_FILE_PEERS_MAX + 1; i++) {
		cleanup_free char *name = str_printf("%d.json", i);
		cleanup_free char *path = fs_join(dir, name);
		const struct rotation r = { .job_file = job_path, .client_file = path };

		assert_int_equal(rotation_begin(&r, &err), i <= JOB_FILE_PEERS_MAX ? 0 : -1);
	}
	assert_int_equal(err.kind, ERR_LIMIT);
	assert_int_equal(assert_client_gets_in(), JOB_FILE_PEERS_MAX);
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
		ROTATION_TEST(another_workstation_is_let_in_and_the_first_stays),
		ROTATION_TEST(each_replaces_its_own_key_and_nobody_elses),
		ROTATION_TEST(a_first_key_that_was_interrupted_is_no_second_workstation),
		ROTATION_TEST(one_workstation_is_sent_away_and_the_others_stay),
		ROTATION_TEST(a_ninth_workstation_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
