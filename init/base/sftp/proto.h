/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * SFTP version 3 (draft-ietf-secsh-filexfer-02) with the extensions of OpenSSH's PROTOCOL, as
 * bytes: what the server parses the client formats, and the other way round. No I/O.
 *
 * A packet is a length (4 bytes), a type (1 byte) and a body; all but the first of each direction
 * have a request id, which the answer repeats. Answers may come in any order; ours come in that of
 * the requests.
 *
 * Requests are a table (SFTP_REQUESTS): the type, for an extension its name and the version that is
 * announced, and the fields of the body in order, one letter each:
 *
 *	p, q  paths            h, k  handles        o, O  offsets (8 bytes)
 *	l     length (4)       L     length (8)     f     flags (4)      b     block size (4)
 *	a     attributes       d     bytes          n     text           u, g  ids (4 each)
 *
 * SYMLINK has its paths in OpenSSH's order, the target first: all clients send it so, whatever the
 * draft says. Strings are borrowed from the packet and may hold any byte.
 */

#include <stdbool.h>
#include <sys/stat.h>

#include "init/base/buf.h"
#include "init/base/err.h"

#define SFTP_VERSION 3
#define SFTP_PACKET_MAX (256 * 1024)		/* without its length */
#define SFTP_BYTES_MAX (SFTP_PACKET_MAX - 1024) /* of a READ or WRITE */
#define SFTP_HANDLE_MAX 256
#define SFTP_HEAD_LEN 4

/*      name, type, extension, its version, fields */
#define SFTP_REQUESTS(X)                                                        \
	X(OPEN, 3, NULL, NULL, "pfa")                                           \
	X(CLOSE, 4, NULL, NULL, "h")                                            \
	X(READ, 5, NULL, NULL, "hol")                                           \
	X(WRITE, 6, NULL, NULL, "hod")                                          \
	X(LSTAT, 7, NULL, NULL, "p")                                            \
	X(FSTAT, 8, NULL, NULL, "h")                                            \
	X(SETSTAT, 9, NULL, NULL, "pa")                                         \
	X(FSETSTAT, 10, NULL, NULL, "ha")                                       \
	X(OPENDIR, 11, NULL, NULL, "p")                                         \
	X(READDIR, 12, NULL, NULL, "h")                                         \
	X(REMOVE, 13, NULL, NULL, "p")                                          \
	X(MKDIR, 14, NULL, NULL, "pa")                                          \
	X(RMDIR, 15, NULL, NULL, "p")                                           \
	X(REALPATH, 16, NULL, NULL, "p")                                        \
	X(STAT, 17, NULL, NULL, "p")                                            \
	X(RENAME, 18, NULL, NULL, "pq")                                         \
	X(READLINK, 19, NULL, NULL, "p")                                        \
	X(SYMLINK, 20, NULL, NULL, "pq")                                        \
	X(POSIX_RENAME, 200, "posix-rename@openssh.com", "1", "pq")             \
	X(STATVFS, 200, "statvfs@openssh.com", "2", "p")                        \
	X(FSTATVFS, 200, "fstatvfs@openssh.com", "2", "h")                      \
	X(HARDLINK, 200, "hardlink@openssh.com", "1", "pq")                     \
	X(FSYNC, 200, "fsync@openssh.com", "1", "h")                            \
	X(LSETSTAT, 200, "lsetstat@openssh.com", "1", "pa")                     \
	X(LIMITS, 200, "limits@openssh.com", "1", "")                           \
	X(EXPAND_PATH, 200, "expand-path@openssh.com", "1", "p")                \
	X(COPY_DATA, 200, "copy-data", "1", "hoLkO")                            \
	X(HOME_DIRECTORY, 200, "home-directory", "1", "n")                      \
	X(USERS_GROUPS_BY_ID, 200, "users-groups-by-id@openssh.com", "1", "ug") \
	X(CHECK_FILE_HANDLE, 200, "check-file-handle", "1", "hnoLb")            \
	X(CHECK_FILE_NAME, 200, "check-file-name", "1", "pnoLb")                \
	X(CHECK_FILE, 200, "check-file", "1", "hnoLb")

enum sftp_op {
#define X(name, type, extension, version, fields) SFTP_##name,
	SFTP_REQUESTS(X)
#undef X
		SFTP_OPS
};

/* Types of packets that are not requests of the table. */
enum sftp_type {
	SFTP_TYPE_INIT = 1,
	SFTP_TYPE_VERSION = 2,
	SFTP_TYPE_STATUS = 101,
	SFTP_TYPE_HANDLE = 102,
	SFTP_TYPE_DATA = 103,
	SFTP_TYPE_NAME = 104,
	SFTP_TYPE_ATTRS = 105,
	SFTP_TYPE_EXTENDED = 200,
	SFTP_TYPE_EXTENDED_REPLY = 201,
};

#define SFTP_STATUSES(X)                          \
	X(OK, "success")                          \
	X(EOF, "end of file")                     \
	X(NO_SUCH_FILE, "no such file")           \
	X(PERMISSION_DENIED, "permission denied") \
	X(FAILURE, "failure")                     \
	X(BAD_MESSAGE, "bad message")             \
	X(NO_CONNECTION, "no connection")         \
	X(CONNECTION_LOST, "connection lost")     \
	X(OP_UNSUPPORTED, "not supported by the other side")

enum sftp_status {
#define X(name, word) SFTP_STATUS_##name,
	SFTP_STATUSES(X)
#undef X
};

/* Flags of OPEN. */
#define SFTP_OPEN_READ 0x01U
#define SFTP_OPEN_WRITE 0x02U
#define SFTP_OPEN_APPEND 0x04U
#define SFTP_OPEN_CREATE 0x08U
#define SFTP_OPEN_TRUNCATE 0x10U
#define SFTP_OPEN_EXCLUSIVE 0x20U
/* Ours, and nothing to other servers: fails where the last name is a symbolic link. */
#define SFTP_OPEN_NOFOLLOW 0x80000000U

/* Which attributes are there. */
#define SFTP_ATTR_SIZE 0x01U
#define SFTP_ATTR_OWNER 0x02U
#define SFTP_ATTR_MODE 0x04U
#define SFTP_ATTR_TIMES 0x08U
#define SFTP_ATTR_EXTENDED 0x80000000U /* pairs of strings, which are skipped */

/* All-zero: none. Times are seconds since the epoch, without a sign. */
struct sftp_attrs {
	uint32_t flags;
	uint64_t size;
	uint32_t uid, gid, mode, atime, mtime;
};

void sftp_attrs_of_stat(const struct stat *st, struct sftp_attrs *ret);

struct sftp_request {
	enum sftp_op op;
	uint32_t id;
	struct span path, path2, handle, handle2, bytes, text, users, groups;
	uint64_t offset, offset2, length, flags, block;
	struct sftp_attrs attrs;
};

/*
 * Looks for a packet at the start of *bytes. 1: it leaves *bytes and is *ret, without its length;
 * 0: it is not all there; -1: it is longer than SFTP_PACKET_MAX, or empty.
 */
int sftp_packet_cut(struct span *bytes, struct span *ret) attr_must_use;

/*
 * A request from its packet. Also when it fails, ret->id is the id if there was one (otherwise
 * ERR_PROTOCOL: the peer is lost); ERR_INVALID: a field is cut short, or bytes are left over;
 * ERR_UNSUPPORTED: a type or extension that is not in the table.
 */
int sftp_request_parse(struct span packet, struct sftp_request *ret, struct err *err) attr_must_use;
/* Appends the packet; false, and nothing appended, when the buffer's maximum is in the way. */
bool sftp_request_append(struct buf *b, const struct sftp_request *request) attr_must_use;

/* The name of a request's extension and the version to announce, or NULL. */
const char *sftp_extension(enum sftp_op op, const char **ret_version);

/*
 * An answer as the client sees it: body is what follows the id, still to be read by type:
 *
 *	STATUS		code, text
 *	HANDLE, DATA	bytes
 *	NAME		count; then body holds so many names for sftp_name_cut()
 *	ATTRS		attrs
 *	EXTENDED_REPLY	body
 *	VERSION		id is the version; body holds the extensions for sftp_extension_cut()
 */
struct sftp_answer {
	enum sftp_type type;
	uint32_t id;
	uint32_t code; /* of a STATUS */
	uint32_t count;
	struct span bytes, text, body;
	struct sftp_attrs attrs;
};

struct sftp_name {
	struct span name, longname;
	struct sftp_attrs attrs;
};

int sftp_answer_parse(struct span packet, struct sftp_answer *ret, struct err *err) attr_must_use;
/* Each cuts one off the front; false when it is cut short. */
bool sftp_name_cut(struct span *body, struct sftp_name *ret) attr_must_use;
bool sftp_extension_cut(struct span *body, struct span *ret_name, struct span *ret_version)
	attr_must_use;

/* Numbers and strings of SSH (RFC 4251 section 5); false, and *s unchanged, when cut short. */
bool sftp_cut_u32(struct span *s, uint32_t *ret) attr_must_use;
bool sftp_cut_u64(struct span *s, uint64_t *ret) attr_must_use;
bool sftp_cut_string(struct span *s, struct span *ret) attr_must_use;
bool sftp_cut_attrs(struct span *s, struct sftp_attrs *ret) attr_must_use;
bool sftp_append_string(struct buf *b, struct span s) attr_must_use;
bool sftp_append_attrs(struct buf *b, const struct sftp_attrs *attrs) attr_must_use;

/*
 * A packet whose length is known at its end: begin() returns its place, end() puts it there.
 * Nothing may be consumed from the buffer in between. begin() is false when there is no room.
 */
bool sftp_packet_begin(struct buf *b, uint8_t type, uint32_t id, size_t *ret_at) attr_must_use;
void sftp_packet_end(struct buf *b, size_t at);
/* Another number that is known only later; at counts from the start of the buffer. */
void sftp_patch_u32(struct buf *b, size_t at, uint32_t v);

/* In words; "unknown status" for what version 3 does not know. */
const char *sftp_status_word(uint32_t code);
