/* SPDX-License-Identifier: MIT */
/* What the job's system is like: file systems, limits, names of users. */
#include "internal.h"

#include <errno.h>
#include <sys/statvfs.h>

#include "server.h"

/* Flags of statvfs@openssh.com. */
#define FLAG_READ_ONLY 1U
#define FLAG_NO_SETUID 2U

static void reply_statvfs(struct buf *out, uint32_t id, const struct statvfs *fs)
{
	uint64_t flags = (fs->f_flag & ST_RDONLY ? FLAG_READ_ONLY : 0U) |
			 (fs->f_flag & ST_NOSUID ? FLAG_NO_SETUID : 0U);
	const uint64_t values[] = { fs->f_bsize,  fs->f_frsize, fs->f_blocks, fs->f_bfree,
				    fs->f_bavail, fs->f_files,	fs->f_ffree,  fs->f_favail,
				    fs->f_fsid,	  flags,	fs->f_namemax };
	size_t at = reply_begin(out, SFTP_TYPE_EXTENDED_REPLY, id);

	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		reply_u64(out, values[i]);
	sftp_packet_end(out, at);
}

void op_statvfs(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	char path[PATH_MAX];
	struct statvfs fs;

	(void)server;
	if (!take_path(out, request->id, request->path, path))
		return;
	if (statvfs(path, &fs) < 0)
		reply_errno(out, request->id, errno);
	else
		reply_statvfs(out, request->id, &fs);
}

void op_fstatvfs(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	const struct handle *handle = take_any(server, out, request->id, request->handle);
	struct statvfs fs;

	if (!handle)
		return;
	if (fstatvfs(handle->fd, &fs) < 0)
		reply_errno(out, request->id, errno);
	else
		reply_statvfs(out, request->id, &fs);
}

void op_limits(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	size_t at = reply_begin(out, SFTP_TYPE_EXTENDED_REPLY, request->id);

	reply_u64(out, SFTP_PACKET_MAX);
	reply_u64(out, SFTP_BYTES_MAX);
	reply_u64(out, SFTP_BYTES_MAX);
	reply_u64(out, server->handles.max);
	sftp_packet_end(out, at);
}

typedef const char *look_up(struct names *names, uint32_t id);

/* Names for a list of ids, "" for those without: a string of strings. */
static bool put_names(struct sftp_server *server, struct span ids, look_up *name_of,
		      struct buf *names)
{
	uint32_t id;

	while (sftp_cut_u32(&ids, &id)) {
		if (!sftp_append_string(names, span_of_str(name_of(&server->names, id))))
			return false;
	}
	return ids.len == 0;
}

void op_users_groups(struct sftp_server *server, const struct sftp_request *request,
		     struct buf *out)
{
	cleanup(buf_finish) struct buf users = BUF_INIT(SFTP_PACKET_MAX / 4);
	cleanup(buf_finish) struct buf groups = BUF_INIT(SFTP_PACKET_MAX / 4);
	size_t at;

	if (!put_names(server, request->users, names_user, &users) ||
	    !put_names(server, request->groups, names_group, &groups)) {
		reply_status(out, request->id, SFTP_STATUS_BAD_MESSAGE, "too many ids, or not ids");
		return;
	}
	at = reply_begin(out, SFTP_TYPE_EXTENDED_REPLY, request->id);
	reply_string(out, buf_span(&users));
	reply_string(out, buf_span(&groups));
	sftp_packet_end(out, at);
}
