/* SPDX-License-Identifier: MIT */
/* How the server answers, and takes the operands of a request; see internal.h. */
#include "internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void must(bool ok)
{
	if (!ok)
		abort();
}

void reply_u32(struct buf *out, uint32_t v)
{
	must(buf_append_u32(out, v));
}

void reply_u64(struct buf *out, uint64_t v)
{
	must(buf_append_u64(out, v));
}

void reply_string(struct buf *out, struct span s)
{
	must(sftp_append_string(out, s));
}

void reply_put_attrs(struct buf *out, const struct sftp_attrs *attrs)
{
	must(sftp_append_attrs(out, attrs));
}

size_t reply_begin(struct buf *out, enum sftp_type type, uint32_t id)
{
	size_t at = 0;

	must(sftp_packet_begin(out, (uint8_t)type, id, &at));
	return at;
}

void reply_status(struct buf *out, uint32_t id, enum sftp_status status, const char *text)
{
	size_t at = reply_begin(out, SFTP_TYPE_STATUS, id);

	reply_u32(out, status);
	reply_string(out, span_of_str(text));
	reply_string(out, span_of_str("")); /* its language */
	sftp_packet_end(out, at);
}

/* OpenSSH's server has the same; what is not here is FAILURE. */
static enum sftp_status status_of_errno(int error)
{
	static const struct {
		int error;
		enum sftp_status status;
	} table[] = {
		{ 0, SFTP_STATUS_OK },
		{ ENOENT, SFTP_STATUS_NO_SUCH_FILE },
		{ ENOTDIR, SFTP_STATUS_NO_SUCH_FILE },
		{ EBADF, SFTP_STATUS_NO_SUCH_FILE },
		{ ELOOP, SFTP_STATUS_NO_SUCH_FILE },
		{ EPERM, SFTP_STATUS_PERMISSION_DENIED },
		{ EACCES, SFTP_STATUS_PERMISSION_DENIED },
		{ EFAULT, SFTP_STATUS_PERMISSION_DENIED },
		{ ENAMETOOLONG, SFTP_STATUS_BAD_MESSAGE },
		{ EINVAL, SFTP_STATUS_BAD_MESSAGE },
		{ ENOSYS, SFTP_STATUS_OP_UNSUPPORTED },
		{ EOPNOTSUPP, SFTP_STATUS_OP_UNSUPPORTED },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (table[i].error == error)
			return table[i].status;
	}
	return SFTP_STATUS_FAILURE;
}

void reply_errno(struct buf *out, uint32_t id, int error)
{
	reply_status(out, id, status_of_errno(error), strerror(error));
}

void reply_result(struct buf *out, uint32_t id, int result)
{
	reply_errno(out, id, result < 0 ? errno : 0);
}

void reply_attrs(struct buf *out, uint32_t id, const struct stat *st)
{
	struct sftp_attrs attrs;
	size_t at = reply_begin(out, SFTP_TYPE_ATTRS, id);

	sftp_attrs_of_stat(st, &attrs);
	reply_put_attrs(out, &attrs);
	sftp_packet_end(out, at);
}

void reply_name(struct buf *out, uint32_t id, const char *name)
{
	const struct sftp_attrs none = { 0 };
	size_t at = reply_begin(out, SFTP_TYPE_NAME, id);

	reply_u32(out, 1);
	reply_string(out, span_of_str(name));
	reply_string(out, span_of_str(name));
	reply_put_attrs(out, &none);
	sftp_packet_end(out, at);
}

int path_of(struct span path, char ret[PATH_MAX])
{
	if (path.len >= PATH_MAX)
		return ENAMETOOLONG;
	if (path.len > 0 && memchr(path.ptr, '\0', path.len))
		return EINVAL;
	if (path.len > 0)
		memcpy(ret, path.ptr, path.len);
	ret[path.len] = '\0';
	return 0;
}

bool take_path(struct buf *out, uint32_t id, struct span path, char ret[PATH_MAX])
{
	int error = path_of(path, ret);

	if (error)
		reply_errno(out, id, error);
	return error == 0;
}

struct handle *take_any(struct sftp_server *server, struct buf *out, uint32_t id, struct span name)
{
	struct handle *handle = handles_find(&server->handles, name);

	if (!handle)
		reply_status(out, id, SFTP_STATUS_FAILURE, "no such handle");
	return handle;
}

struct handle *take_file(struct sftp_server *server, struct buf *out, uint32_t id, struct span name)
{
	struct handle *handle = take_any(server, out, id, name);

	if (handle && handle->dir) {
		reply_status(out, id, SFTP_STATUS_FAILURE, "a directory's handle");
		return NULL;
	}
	return handle;
}
