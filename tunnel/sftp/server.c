/* SPDX-License-Identifier: MIT */
/* The SFTP server's packets and its table of operations; see server.h. */
#include "server.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "init/base/alloc.h"
#include "internal.h"

/* Descriptors that are not for handles: the standard ones, a file of names, the copies of a moment.
 */
#define DESCRIPTORS_KEPT 16

static sftp_operation *const operations[SFTP_OPS] = {
	[SFTP_OPEN] = op_open,
	[SFTP_CLOSE] = op_close,
	[SFTP_READ] = op_read,
	[SFTP_WRITE] = op_write,
	[SFTP_LSTAT] = op_lstat,
	[SFTP_FSTAT] = op_fstat,
	[SFTP_SETSTAT] = op_setstat,
	[SFTP_FSETSTAT] = op_fsetstat,
	[SFTP_OPENDIR] = op_opendir,
	[SFTP_READDIR] = op_readdir,
	[SFTP_REMOVE] = op_remove,
	[SFTP_MKDIR] = op_mkdir,
	[SFTP_RMDIR] = op_rmdir,
	[SFTP_REALPATH] = op_realpath,
	[SFTP_STAT] = op_stat,
	[SFTP_RENAME] = op_rename,
	[SFTP_READLINK] = op_readlink,
	[SFTP_SYMLINK] = op_symlink,
	[SFTP_POSIX_RENAME] = op_posix_rename,
	[SFTP_STATVFS] = op_statvfs,
	[SFTP_FSTATVFS] = op_fstatvfs,
	[SFTP_HARDLINK] = op_hardlink,
	[SFTP_FSYNC] = op_fsync,
	[SFTP_LSETSTAT] = op_lsetstat,
	[SFTP_LIMITS] = op_limits,
	[SFTP_EXPAND_PATH] = op_expand_path,
	[SFTP_COPY_DATA] = op_copy_data,
	[SFTP_HOME_DIRECTORY] = op_home_directory,
	[SFTP_USERS_GROUPS_BY_ID] = op_users_groups,
	[SFTP_CHECK_FILE_HANDLE] = op_check_handle,
	[SFTP_CHECK_FILE_NAME] = op_check_name,
	[SFTP_CHECK_FILE] = op_check_handle,
};

static size_t handles_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == RLIM_INFINITY)
		return SFTP_SERVER_HANDLES_MAX;
	if (files.rlim_cur <= 2 * DESCRIPTORS_KEPT)
		return DESCRIPTORS_KEPT;
	return MIN((size_t)files.rlim_cur - DESCRIPTORS_KEPT, (size_t)SFTP_SERVER_HANDLES_MAX);
}

struct sftp_server *sftp_server_new(void)
{
	struct sftp_server *server = new_zero(struct sftp_server);
	const char *home = getenv("HOME");

	server->names.passwd = "/etc/passwd";
	server->names.group = "/etc/group";
	server->home = home && home[0] == '/' ? home : NULL;
	server->handles.max = handles_limit();
	return server;
}

struct sftp_server *sftp_server_free(struct sftp_server *server)
{
	if (server)
		handles_finish(&server->handles);
	free(server);
	return NULL;
}

/* The version that both have is the lower one, and ours is the lowest that is in use. */
static int begin(struct sftp_server *server, struct span packet, struct buf *out, struct err *err)
{
	const char *name, *version;
	size_t at;

	if (packet.len < 5 || packet.ptr[0] != SFTP_TYPE_INIT)
		return err_set(err, ERR_PROTOCOL, "the first packet is not INIT");
	server->begun = true;
	at = reply_begin(out, SFTP_TYPE_VERSION, SFTP_VERSION);
	for (int op = 0; op < SFTP_OPS; op++) {
		name = sftp_extension((enum sftp_op)op, &version);
		if (!name)
			continue;
		reply_string(out, span_of_str(name));
		reply_string(out, span_of_str(version));
	}
	sftp_packet_end(out, at);
	return 0;
}

static int answer(struct sftp_server *server, struct span packet, struct buf *out, struct err *err)
{
	struct sftp_request request = { 0 };
	struct err why = { 0 };

	if (!server->begun)
		return begin(server, packet, out, err);
	if (sftp_request_parse(packet, &request, &why) == 0) {
		operations[request.op](server, &request, out);
		return 0;
	}
	if (why.kind == ERR_PROTOCOL) {
		if (err)
			*err = why;
		return -1;
	}
	reply_status(out, request.id,
		     why.kind == ERR_UNSUPPORTED ? SFTP_STATUS_OP_UNSUPPORTED
						 : SFTP_STATUS_BAD_MESSAGE,
		     why.text);
	return 0;
}

int sftp_server_serve(struct sftp_server *server, struct buf *in, struct buf *out, struct err *err)
{
	struct span packet, rest;
	int found;

	while (buf_len(out) < SFTP_SERVER_OUT_FULL) {
		rest = buf_span(in);
		found = sftp_packet_cut(&rest, &packet);
		if (found < 0)
			return err_set(err, ERR_PROTOCOL, "a packet is empty or larger than %d KiB",
				       SFTP_PACKET_MAX / 1024);
		if (found == 0)
			return 0;
		if (answer(server, packet, out, err) < 0)
			return -1;
		buf_consume(in, SFTP_HEAD_LEN + packet.len);
	}
	return 1;
}
