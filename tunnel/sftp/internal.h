/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the files of the server share. server.c reads packets and has the table of operations; each
 * operation is a function that answers its request once, in *out.
 */

#include <limits.h>

#include "handle.h"
#include "names.h"
#include "init/base/sftp/proto.h"

struct sftp_server {
	bool begun; /* INIT was answered */
	struct handles handles;
	struct names names;
	const char *home; /* $HOME, borrowed from the environment, or NULL */
};

typedef void sftp_operation(struct sftp_server *server, const struct sftp_request *request,
			    struct buf *out);

/* op_file.c: what is done to handles of files */
sftp_operation op_open, op_close, op_read, op_write, op_fstat, op_fsetstat, op_fsync, op_copy_data,
	op_opendir;
/* op_attrs.c */
sftp_operation op_stat, op_lstat, op_setstat, op_lsetstat;
/* op_path.c: names in the file system */
sftp_operation op_remove, op_mkdir, op_rmdir, op_rename, op_posix_rename, op_readlink, op_symlink,
	op_hardlink;
/* op_resolve.c */
sftp_operation op_realpath, op_expand_path, op_home_directory;
/* op_dir.c */
sftp_operation op_readdir;
/* op_info.c */
sftp_operation op_statvfs, op_fstatvfs, op_limits, op_users_groups;
/* op_check.c */
sftp_operation op_check_name, op_check_handle;

/* Answers. There is always room: serve() stops long before *out is at its maximum. */
void reply_status(struct buf *out, uint32_t id, enum sftp_status status, const char *text);
void reply_errno(struct buf *out, uint32_t id, int error);   /* 0: success */
void reply_result(struct buf *out, uint32_t id, int result); /* of a system call: -1 is errno */
void reply_attrs(struct buf *out, uint32_t id, const struct stat *st);
/* One name, with attributes that say nothing. */
void reply_name(struct buf *out, uint32_t id, const char *name);

/* Panics when there is no room, which would be a mistake of ours. */
void reply_u32(struct buf *out, uint32_t v);
void reply_u64(struct buf *out, uint64_t v);
void reply_string(struct buf *out, struct span s);
void reply_put_attrs(struct buf *out, const struct sftp_attrs *attrs);
size_t reply_begin(struct buf *out, enum sftp_type type, uint32_t id);

/* A path as the system takes it. 0, or the errno that says why not. */
int path_of(struct span path, char ret[PATH_MAX]) attr_must_use;

/*
 * The same, and the answer in case of failure: false, and it is answered.
 */
bool take_path(struct buf *out, uint32_t id, struct span path, char ret[PATH_MAX]) attr_must_use;
/* A handle of a file (or of a directory too); NULL, and it is answered. */
struct handle *take_file(struct sftp_server *server, struct buf *out, uint32_t id, struct span name)
	attr_must_use;
struct handle *take_any(struct sftp_server *server, struct buf *out, uint32_t id, struct span name)
	attr_must_use;
