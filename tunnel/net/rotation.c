/* SPDX-License-Identifier: MIT */
/* Replaces and revokes the workstation's key; see rotation.h. */
#include "rotation.h"

#include <errno.h>
#include <stdio.h>

#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "tunnel/net/job_file.h"
#include "tunnel/net/jsonfile.h"

char *rotation_next_file(const struct rotation *r)
{
	return str_printf("%s.new", r->client_file);
}

static int write_job(const char *path, const struct job_file *job, struct err *err)
{
	cleanup(buf_wipe) struct buf text = BUF_INIT(JSONFILE_MAX);

	if (!job_file_format(job, &text))
		return err_set(err, ERR_LIMIT, "%s: too much for one file", path);
	return fs_write_file(path, buf_span(&text), 0600, err);
}

static int write_client(const char *path, const struct client_file *client, struct err *err)
{
	cleanup(buf_wipe) struct buf text = BUF_INIT(JSONFILE_MAX);

	if (!client_file_format(client, &text))
		return err_set(err, ERR_INTERNAL, "%s: too long", path);
	return fs_write_file(path, buf_span(&text), 0600, err);
}

/* That of the client file, which an interrupted rotation may have brought. */
static struct key_public key_that_works(const struct rotation *r, const struct job_file *job)
{
	cleanup(client_file_finish) struct client_file client = { 0 };

	if (client_file_read(r->client_file, &client, NULL) == 0 &&
	    key_set_has(&job->peers, &client.key.public))
		return client.key.public;
	return job->peers.keys[0];
}

/* Another key is no reason to go other ways. */
static void keep_ways(const struct rotation *r, const struct job_file *job, struct client_file *ret)
{
	cleanup(client_file_finish) struct client_file old = { 0 };

	if (client_file_read(r->client_file, &old, NULL) < 0) {
		client_file_take_ways(ret, job);
		return;
	}
	ret->relays = old.relays;
	ret->paths = old.paths;
	ret->login = take_ptr(old.login);
	old.relays = (struct relay_sites){ 0 };
}

int rotation_begin(const struct rotation *r, struct err *err)
{
	cleanup(job_file_finish) struct job_file job = { 0 };
	cleanup(client_file_finish) struct client_file client = { 0 };
	cleanup_free char *next = rotation_next_file(r);
	struct key_set peers = { 0 };

	if (job_file_read(r->job_file, &job, err) < 0 || key_pair_generate(&client.key, err) < 0)
		return -1;
	client.secret = job.secret;
	keep_ways(r, &job, &client);
	peers.keys[peers.len++] = key_that_works(r, &job);
	key_set_add(&peers, &client.key.public);
	job.peers = peers;
	if (write_client(next, &client, err) < 0)
		return -1;
	return write_job(r->job_file, &job, err);
}

/* What is to become of the client file: 1 the next one replaces it, 0 it has done so already. */
static int find_new_key(const struct rotation *r, const struct job_file *job,
			struct key_public *ret, struct err *err)
{
	cleanup(client_file_finish) struct client_file client = { 0 };
	cleanup_free char *next = rotation_next_file(r);
	bool is_beside = fs_exists(next);

	if (client_file_read(is_beside ? next : r->client_file, &client, err) < 0)
		return -1;
	if (!key_set_has(&job->peers, &client.key.public))
		return err_set(err, ERR_UNAVAILABLE, "%s lets another key in: rotate the key again",
			       r->job_file);
	*ret = client.key.public;
	return is_beside;
}

int rotation_finish(const struct rotation *r, struct err *err)
{
	cleanup(job_file_finish) struct job_file job = { 0 };
	cleanup_free char *next = rotation_next_file(r);
	struct key_public key;
	int found;

	if (job_file_read(r->job_file, &job, err) < 0)
		return -1;
	found = find_new_key(r, &job, &key, err);
	if (found < 0)
		return -1;
	if (found > 0 && rename(next, r->client_file) < 0)
		return err_set_errno(err, errno, "rename %s", next);
	job.peers = (struct key_set){ .keys = { key }, .len = 1 };
	return write_job(r->job_file, &job, err);
}

int rotation_revoke(const char *job_file, struct err *err)
{
	cleanup(job_file_finish) struct job_file job = { 0 };
	cleanup(key_pair_finish) struct key_pair nobody = { 0 };

	if (job_file_read(job_file, &job, err) < 0 || key_pair_generate(&nobody, err) < 0)
		return -1;
	job.peers = (struct key_set){ .keys = { nobody.public }, .len = 1 };
	return write_job(job_file, &job, err);
}
