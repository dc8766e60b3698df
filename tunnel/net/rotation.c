/* SPDX-License-Identifier: MIT */
/* Gives and takes the keys of workstations; see rotation.h. */
#include "rotation.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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

/* The workstation that has this client file, or the one beside it; NULL when it is not let in. */
static struct job_peer *find_self(const struct rotation *r, struct job_file *job,
				  struct key_public *ret)
{
	cleanup_free char *next = rotation_next_file(r);
	const char *const files[] = { r->client_file, next };
	struct job_peer *self = NULL;

	for (size_t i = 0; i < ARRAY_LEN(files) && !self; i++) {
		cleanup(client_file_finish) struct client_file client = { 0 };

		if (client_file_read(files[i], &client, NULL) < 0)
			continue;
		self = job_file_find_peer(job, &client.key.public);
		*ret = client.key.public;
	}
	return self;
}

static bool has_name(const struct job_file *job, const char *name)
{
	for (size_t i = 0; i < job->peers_len; i++) {
		if (strcmp(job->peers[i].name, name) == 0)
			return true;
	}
	return false;
}

/* As it is called here, unless another one is called so already. */
static void choose_name(const struct job_file *job, const char *name, struct job_peer *ret)
{
	char chosen[JOB_FILE_NAME_MAX + 1];

	snprintf(chosen, sizeof(chosen), "%s", name ? name : "workstation");
	for (unsigned int i = 2; has_name(job, chosen); i++)
		snprintf(chosen, sizeof(chosen), "%.58s-%u", name ? name : "workstation", i);
	memcpy(ret->name, chosen, sizeof(chosen));
}

static int add_peer(const struct rotation *r, struct job_file *job, const struct key_public *key,
		    struct err *err)
{
	struct job_peer *peer = &job->peers[job->peers_len];

	if (job->peers_len == JOB_FILE_PEERS_MAX)
		return err_set(err, ERR_LIMIT,
			       "%d workstations are let in, which is all there is room for: revoke "
			       "the key of one first",
			       JOB_FILE_PEERS_MAX);
	*peer = (struct job_peer){ .key = *key };
	choose_name(job, r->name, peer);
	job->peers_len++;
	return 0;
}

/* Lets the new key in, beside the one that this workstation has. */
static int let_in(const struct rotation *r, struct job_file *job, const struct key_public *key,
		  struct err *err)
{
	struct key_public old;
	struct job_peer *self = find_self(r, job, &old);

	if (!self && (job->peers_len > 1 || job->peers[0].name[0]))
		return add_peer(r, job, key, err);
	if (self)
		self->key = old; /* an interrupted rotation may have brought it */
	else
		self = &job->peers[0];
	self->next = *key;
	self->has_next = true;
	return 0;
}

/* Another key is no reason to go other ways. */
static void keep_ways(const struct rotation *r, const struct job_file *job, struct client_file *ret)
{
	cleanup(client_file_finish) struct client_file old = { 0 };

	if (client_file_read(r->client_file, &old, NULL) < 0) {
		client_file_take_ways(ret, job);
		if (r->no_punch)
			ret->paths &= ~PATH_MASK(PATH_PUNCHED);
		ret->login = r->login ? str_dup(r->login) : NULL;
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

	if (job_file_read(r->job_file, &job, err) < 0 || key_pair_generate(&client.key, err) < 0)
		return -1;
	client.secret = job.secret;
	keep_ways(r, &job, &client);
	if (let_in(r, &job, &client.key.public, err) < 0 || write_client(next, &client, err) < 0)
		return -1;
	return write_job(r->job_file, &job, err);
}

/* What is to become of the client file: 1 the next one replaces it, 0 it has done so already. */
static int find_new_key(const struct rotation *r, struct job_file *job, struct key_public *ret,
			struct err *err)
{
	cleanup(client_file_finish) struct client_file client = { 0 };
	cleanup_free char *next = rotation_next_file(r);
	bool is_beside = fs_exists(next);

	if (client_file_read(is_beside ? next : r->client_file, &client, err) < 0)
		return -1;
	if (!job_file_find_peer(job, &client.key.public))
		return err_set(err, ERR_UNAVAILABLE, "%s lets another key in: rotate the key again",
			       r->job_file);
	*ret = client.key.public;
	return is_beside;
}

int rotation_finish(const struct rotation *r, struct err *err)
{
	cleanup(job_file_finish) struct job_file job = { 0 };
	cleanup_free char *next = rotation_next_file(r);
	struct job_peer *self;
	struct key_public key;
	int found;

	if (job_file_read(r->job_file, &job, err) < 0)
		return -1;
	found = find_new_key(r, &job, &key, err);
	if (found < 0)
		return -1;
	if (found > 0 && rename(next, r->client_file) < 0)
		return err_set_errno(err, errno, "rename %s", next);
	self = job_file_find_peer(&job, &key);
	if (!self->has_next)
		return 0; /* its first one */
	self->key = key;
	self->has_next = false;
	return write_job(r->job_file, &job, err);
}

static int let_nobody_in(struct job_file *job, struct err *err)
{
	cleanup(key_pair_finish) struct key_pair nobody = { 0 };

	if (key_pair_generate(&nobody, err) < 0)
		return -1;
	job->peers[0] = (struct job_peer){ .key = nobody.public };
	job->peers_len = 1;
	return 0;
}

static int remove_peer(struct job_file *job, const char *name, struct err *err)
{
	cleanup(buf_finish) struct buf names = BUF_INIT(JSONFILE_MAX);
	size_t kept = 0;

	for (size_t i = 0; i < job->peers_len; i++) {
		if (strcmp(job->peers[i].name, name) == 0)
			continue;
		if (!buf_printf(&names, "%s%s", kept ? ", " : "", job->peers[i].name))
			return err_set(err, ERR_INTERNAL, "too many workstations");
		job->peers[kept++] = job->peers[i];
	}
	if (kept == job->peers_len)
		return err_set(err, ERR_NOT_FOUND, "no workstation '%.80s' is let in, but: %s",
			       name, buf_str(&names));
	job->peers_len = kept;
	return kept > 0 ? 0 : let_nobody_in(job, err);
}

int rotation_revoke(const char *job_file, const char *name, struct err *err)
{
	cleanup(job_file_finish) struct job_file job = { 0 };

	if (job_file_read(job_file, &job, err) < 0 ||
	    (name ? remove_peer(&job, name, err) : let_nobody_in(&job, err)) < 0)
		return -1;
	return write_job(job_file, &job, err);
}

int rotation_list(const struct rotation *r, FILE *out, struct err *err)
{
	cleanup(job_file_finish) struct job_file job = { 0 };
	const struct job_peer *self = NULL;
	struct key_public key;

	if (job_file_read(r->job_file, &job, err) < 0)
		return -1;
	if (r->client_file)
		self = find_self(r, &job, &key);
	for (size_t i = 0; i < job.peers_len; i++) {
		const struct job_peer *peer = &job.peers[i];

		fprintf(out, "%s%s\n", peer->name[0] ? peer->name : "-",
			peer == self ? " here" : "");
	}
	return 0;
}
