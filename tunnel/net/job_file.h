/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The two files of a submission (see crypto/key.h): tunnel.json goes to the job, the client file
 * stays on the workstation. Both hold the job's secret and are 0600; reading refuses them when
 * others have access.
 *
 * Both also say by which relays the two may meet, and which paths are allowed at all.
 */

#include "init/base/buf.h"
#include "init/base/err.h"
#include "tunnel/crypto/key.h"
#include "tunnel/net/path_mask.h"
#include "tunnel/net/relay_site.h"

#define JOB_FILE_ALLOW_MAX 256
#define JOB_FILE_IDLE_DEFAULT_S 86400
#define JOB_FILE_IDLE_MAX_S (100 * UINT64_C(86400))
#define JOB_FILE_CONNECTIONS_DEFAULT 256
#define JOB_FILE_CONNECTIONS_MAX 4096
#define JOB_FILE_PEERS_MAX 8
#define JOB_FILE_NAME_MAX 63

/* A workstation that is let in by its key, and while that is replaced, by the next one, too. */
struct job_peer {
	char name[JOB_FILE_NAME_MAX + 1]; /* "": nobody said it */
	struct key_public key, next;
	bool has_next;
};

/* tunnel.json */
struct job_file {
	struct secret secret;
	/* At least one, and nobody else may connect: who submitted the job, then the others. */
	struct job_peer peers[JOB_FILE_PEERS_MAX];
	size_t peers_len;
	char **allow; /* "host:port" beside loopback that CONNECT may reach */
	size_t allow_len;
	uint64_t idle_timeout_s;
	uint64_t connections; /* at once; optional in the file */
	struct relay_sites relays;
	unsigned int paths; /* path_mask.h */
};

void job_file_finish(struct job_file *file);
DEFINE_CLEANUP_VALUE(struct job_file, job_file_finish)

int job_file_parse(struct span text, struct job_file *ret, struct err *err) attr_must_use;
int job_file_read(const char *path, struct job_file *ret, struct err *err) attr_must_use;
bool job_file_format(const struct job_file *file, struct buf *b) attr_must_use;
/* All keys that are let in. */
void job_file_keys(const struct job_file *file, struct key_set *ret);
/* Whose key this is, now or next; NULL when it is not let in. */
struct job_peer *job_file_find_peer(struct job_file *file, const struct key_public *key);
/* What a workstation may be called: letters, digits, '.', '-' and '_', 1 to JOB_FILE_NAME_MAX. */
bool job_file_is_name(const char *text);
/* "host:port", "[v6]:port", "*:port", "host:*": what an entry of the allow list looks like. */
bool job_file_is_target(const char *text);

/* The client file */
struct client_file {
	struct secret secret;
	struct key_pair key;
	struct relay_sites relays;
	unsigned int paths; /* path_mask.h; without PATH_PUNCHED where that is forbidden */
	char *login;	    /* NULL, or an ssh destination that reaches the job's node */
};

void client_file_finish(struct client_file *file);
DEFINE_CLEANUP_VALUE(struct client_file, client_file_finish)

int client_file_parse(struct span text, struct client_file *ret, struct err *err) attr_must_use;
int client_file_read(const char *path, struct client_file *ret, struct err *err) attr_must_use;
/* What ssh takes as a destination, and no option of it: "user@host", at most 255 bytes. */
bool client_file_is_login(const char *text);
/* The ways to the job as the other file has them. */
void client_file_take_ways(struct client_file *file, const struct job_file *job);
bool client_file_format(const struct client_file *file, struct buf *b) attr_must_use;
