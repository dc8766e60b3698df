/* SPDX-License-Identifier: MIT */
/* Directories, a good number of entries an answer. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>

#include "longname.h"

/* Some clients take no larger packets; there is little to gain beyond. */
#define ANSWER_MAX (100 * 1024)
/* The most that an entry takes: its name twice, the line, the attributes. */
#define ENTRY_MAX (2 * (NAME_MAX + 1) + LONGNAME_HEAD_MAX + 64)

static void put_entry(struct sftp_server *server, struct buf *out, const char *name,
		      const struct stat *st, time_t now)
{
	struct sftp_attrs attrs;
	char head[LONGNAME_HEAD_MAX];
	size_t head_len = longname_head(&server->names, st, now, head), name_len = strlen(name);

	sftp_attrs_of_stat(st, &attrs);
	reply_string(out, span_of(name, name_len));
	reply_u32(out, (uint32_t)(head_len + name_len));
	if (!buf_append(out, head, head_len) || !buf_append(out, name, name_len))
		abort(); /* as with every put */
	reply_put_attrs(out, &attrs);
}

/* An entry that is gone meanwhile, or cannot be looked at, is shown as far as it is known. */
static void look_at(const struct handle *handle, const struct dirent *entry, struct stat *ret)
{
	*ret = (struct stat){ 0 };
	if (fstatat(handle->fd, entry->d_name, ret, AT_SYMLINK_NOFOLLOW) < 0)
		ret->st_mode = (mode_t)DTTOIF(entry->d_type);
}

void op_readdir(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	struct handle *handle = take_any(server, out, request->id, request->handle);
	size_t before = buf_len(out), at, count_at;
	time_t now = time(NULL);
	uint32_t count = 0;
	struct stat st;

	if (handle && !handle->dir) {
		reply_status(out, request->id, SFTP_STATUS_FAILURE, "not a directory's handle");
		return;
	}
	if (!handle)
		return;
	at = reply_begin(out, SFTP_TYPE_NAME, request->id);
	count_at = buf_len(out);
	reply_u32(out, 0);
	errno = 0;
	while (buf_len(out) - before < ANSWER_MAX - ENTRY_MAX) {
		const struct dirent *entry = readdir(handle->dir);

		if (!entry)
			break;
		look_at(handle, entry, &st);
		put_entry(server, out, entry->d_name, &st, now);
		count++;
		errno = 0;
	}
	if (count == 0) {
		int error = errno;

		buf_truncate(out, before);
		if (error)
			reply_errno(out, request->id, error);
		else
			reply_status(out, request->id, SFTP_STATUS_EOF, "end of file");
		return;
	}
	sftp_packet_end(out, at);
	sftp_patch_u32(out, count_at, count);
}
