/* SPDX-License-Identifier: MIT */
#pragma once

/* What the files of the implementation by SFTP share; see sftp.h. */

#include "controller/files/sftp.h"
#include "init/base/sftp/client.h"

#define READ_MAX 32768 /* of one READ: every server takes that */
#define READ_CHUNK_MAX 65536
#define IN_MAX (SFTP_PACKET_MAX + SFTP_HEAD_LEN + 4 * READ_CHUNK_MAX)
#define PREAMBLE_MAX (1024 * 1024)

struct fs_sftp {
	struct fs base;
	struct running *running;
	struct sftp_client client;
	struct buf in, complaints;
	const struct fs_runner *runner;
	bool is_preamble;    /* the mark has not come yet */
	size_t preamble_len; /* what came before */
	bool is_lost;
};

struct fs_sftp *fs_sftp_of(struct fs *fs);

/* Until whatever was asked is answered. */
int fs_sftp_wait(struct fs_sftp *s, struct err *err) attr_must_use;

/* "~" and an empty path, as the server takes them. free() it. */
int fs_sftp_expand(struct fs_sftp *s, const char *path, char **ret, struct err *err) attr_must_use;

/* An OPEN or OPENDIR; finished by fs_sftp_close_handle(), also when it failed. */
int fs_sftp_open_handle(struct fs_sftp *s, struct sftp_request *request, const char *path,
			struct buf *ret, struct err *err) attr_must_use;
void fs_sftp_close_handle(struct fs_sftp *s, struct buf *handle);

/* An entry of what a server says about a name. */
void fs_sftp_entry(struct span name, struct span longname, const struct sftp_attrs *attrs,
		   struct fs_entry *ret);

/* sftp_bytes.c, sftp_tree.c, sftp_sum.c: members of the vtable */
int fs_sftp_bytes(struct fs *fs, const char *path, const struct fs_entry *source, bool writes,
		  struct fs_bytes **ret, struct err *err);
int fs_sftp_list(struct fs *fs, const char *path, struct fs_list *ret, struct err *err);
int fs_sftp_remove(struct fs *fs, const char *path, bool is_dir, struct err *err);
int fs_sftp_checksum(struct fs *fs, const char *path, char ret[FS_DIGEST_SIZE], struct err *err);
int fs_sftp_archive(struct fs *fs, const struct fs_archive *archive, struct err *err);
