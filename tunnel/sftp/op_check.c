/* SPDX-License-Identifier: MIT */
/*
 * check-file-handle and check-file-name (draft-ietf-secsh-filexfer-extensions-00 section 3), and
 * "check-file" as some clients call the first: the SHA-256 of a range of a file, whole or block by
 * block, computed where the file is.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "init/base/fd.h"
#include "tunnel/crypto/sha256.h"

#define READ_STEP (256 * 1024)
#define BLOCK_MIN 256
#define DIGESTS_MAX (128 * 1024)

/* The client's list of algorithms, in the order of its preference: ours is one. */
static bool wants_sha256(struct span list)
{
	const uint8_t *end;

	while (list.len > 0) {
		size_t len;

		end = memchr(list.ptr, ',', list.len);
		len = end ? (size_t)(end - list.ptr) : list.len;
		if (span_equal_str(span_of(list.ptr, len), "sha256"))
			return true;
		(void)span_cut(&list, MIN(len + 1, list.len));
	}
	return false;
}

struct check {
	int fd;
	off_t at;
	uint64_t left;
	uint64_t block; /* 0: one digest for all */
	struct sha256 *hash;
	struct buf digests;
};

static bool end_block(struct check *check)
{
	uint8_t digest[SHA256_LEN];

	sha256_end(check->hash, digest);
	return buf_append(&check->digests, digest, sizeof(digest));
}

/* One block, or up to the end of the file: how many bytes it had, or -1 and errno. */
static int64_t hash_block(struct check *check, uint64_t want)
{
	static uint8_t bytes[READ_STEP];
	int64_t done = 0;

	while (want > 0) {
		ssize_t len = pread(check->fd, bytes, (size_t)MIN(want, (uint64_t)sizeof(bytes)),
				    check->at);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return -1;
		if (len == 0)
			break;
		sha256_add(check->hash, span_of(bytes, (size_t)len));
		check->at += len;
		want -= (uint64_t)len;
		done += len;
	}
	return done;
}

static int hash_all(struct check *check)
{
	while (check->left > 0 || buf_len(&check->digests) == 0) {
		uint64_t want = check->block ? MIN(check->block, check->left) : check->left;
		int64_t len = hash_block(check, want);

		if (len < 0)
			return -1;
		/* The digest of nothing is one too, but only of a range that is empty. */
		if (len == 0 && buf_len(&check->digests) > 0)
			break;
		if (!end_block(check))
			return errno = EFBIG, -1;
		check->left -= (uint64_t)len;
		if ((uint64_t)len < want)
			break;
	}
	return 0;
}

static void reply_check(const struct sftp_request *request, int fd, struct buf *out)
{
	cleanup(sha256_free) struct sha256 *hash = sha256_new();
	struct check check = {
		.fd = fd,
		.at = (off_t)request->offset,
		.left = request->length ? request->length : INT64_MAX,
		.block = request->block,
		.hash = hash,
		.digests = BUF_INIT(DIGESTS_MAX),
	};
	size_t at;

	if (!wants_sha256(request->text)) {
		reply_status(out, request->id, SFTP_STATUS_OP_UNSUPPORTED, "only sha256 is known");
	} else if (request->block > 0 && request->block < BLOCK_MIN) {
		reply_status(out, request->id, SFTP_STATUS_BAD_MESSAGE,
			     "blocks have 256 bytes at least");
	} else if (hash_all(&check) < 0) {
		reply_errno(out, request->id, errno);
	} else {
		at = reply_begin(out, SFTP_TYPE_EXTENDED_REPLY, request->id);
		reply_string(out, span_of_str("check-file"));
		reply_string(out, span_of_str("sha256"));
		if (!buf_append_span(out, buf_span(&check.digests)))
			abort();
		sftp_packet_end(out, at);
	}
	buf_finish(&check.digests);
}

void op_check_handle(struct sftp_server *server, const struct sftp_request *request,
		     struct buf *out)
{
	const struct handle *handle = take_file(server, out, request->id, request->handle);

	if (handle)
		reply_check(request, handle->fd, out);
}

void op_check_name(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	char path[PATH_MAX];
	cleanup_close int fd = -1;

	(void)server;
	if (!take_path(out, request->id, request->path, path))
		return;
	fd = fd_open(path, O_RDONLY | O_NOCTTY);
	if (fd < 0)
		reply_errno(out, request->id, errno);
	else
		reply_check(request, fd, out);
}
