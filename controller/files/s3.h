/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Large files to and from an S3 store, by presigned URLs that somebody else asked for: parts of an
 * upload, several at once, read from the file where they are sent from; and a download in ranges,
 * several at once, written where they belong. When one has ended the next begins. Memory is some
 * buffers, however large a part is.
 *
 * What a part is in the store is told by its ETag, the MD5 of the bytes. One that came out
 * otherwise is sent again. A store that encrypts with keys of its own has ETags that are no MD5:
 * then the whole has to be compared by other means (is_unproven).
 *
 * Who wants to go on later, in another process, keeps what `arrived` tells (journal.h).
 */

#include <stdbool.h>
#include <stdint.h>

#include "init/base/buf.h"
#include "init/base/err.h"

#define S3_PARTS_MAX 10000
#define S3_ETAG_SIZE 130
/* A download is asked for in ranges of this size; an upload is sent in its parts. */
#define S3_RANGE (UINT64_C(32) * 1024 * 1024)

/* What others are told meanwhile; members may be NULL. */
struct s3_watch {
	void (*moved)(void *user, uint64_t bytes); /* so much in all; called often */
	void *user;
	/* A part or range is there; counted from 0. An ETag is that of a part. */
	void (*arrived)(void *keeper, size_t index, const char *etag);
	void *keeper;
};

struct s3_part {
	const char *url;	  /* presigned, for PUT */
	uint64_t offset, len;	  /* of the file */
	char etag[S3_ETAG_SIZE];  /* as the store gave it; "": not sent yet */
	char other[S3_ETAG_SIZE]; /* one that is not the MD5 of what was sent */
};

struct s3_upload {
	int fd;
	/* So many bytes from an offset on, instead of from a descriptor; or NULL. */
	int (*read)(void *reader, uint64_t offset, void *room, size_t len, struct err *err);
	void *reader;
	struct s3_part *parts; /* in order; those with an ETag are there already */
	size_t len;
	const char *complete_url; /* presigned, for POST */
	struct s3_watch watch;
	bool is_unproven; /* set: the store did not tell what it got */
};

/*
 * 0: it is an object now. 1: the URLs are of no use any more (too old, the upload was given up):
 * others have to be asked for. -1: else; parts that arrived have their ETags all the same.
 */
int s3_upload(struct s3_upload *upload, struct err *err) attr_must_use;

/* The list of parts as it is posted; ERR_PROTOCOL for an ETag that would break it. */
int s3_format_parts(const struct s3_part *parts, size_t len, struct buf *ret, struct err *err)
	attr_must_use;

/* Whether an ETag is that of these bytes, by their MD5 in hexadecimal. */
bool s3_etag_is(const char *etag, const char *md5);

/* Sets the error that the body of an answer says (<Code>, <Message>), and returns -1. */
int s3_explain(int status, struct span body, struct err *err);

/* An object that is there, or is to come. url: presigned, for GET. */
struct s3_object;

int s3_open(const char *url, struct s3_object **ret, struct err *err) attr_must_use;
struct s3_object *s3_close(struct s3_object *object);
DEFINE_CLEANUP(struct s3_object, s3_close)

/* 1: it is there, as far as can be seen; 0: not yet, or this URL does not lead to it; -1. */
int s3_look(struct s3_object *object, struct err *err) attr_must_use;

struct s3_download {
	struct s3_object *object;
	/* Where the bytes from an offset on go. */
	int (*write)(void *writer, uint64_t offset, struct span bytes, struct err *err);
	void *writer;
	uint64_t size;
	bool *has; /* of each range of S3_RANGE bytes, whether it is written already */
	struct s3_watch watch;
};

static inline size_t s3_ranges(uint64_t size)
{
	return (size_t)((size + S3_RANGE - 1) / S3_RANGE);
}

/* So many bytes from the offset on. 0; 1: the URL is of no use any more; -1. */
int s3_read(struct s3_object *object, uint64_t offset, void *room, size_t len, struct err *err)
	attr_must_use;

/* 0: all is written. 1: the URL is of no use any more. -1: else; `has` says what is there. */
int s3_download(struct s3_download *download, struct err *err) attr_must_use;
