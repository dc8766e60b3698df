/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Large files to and from an S3 store, by presigned URLs that somebody else asked for: parts of an
 * upload, several at once, read from the file where they are sent from; and a download in ranges,
 * several at once, written where they belong. Memory is some buffers, however large a part is.
 *
 * What a part is in the store is told by its ETag, the MD5 of the bytes. One that came out
 * otherwise is sent again. A store that encrypts with keys of its own has ETags that are no MD5:
 * then the whole has to be compared by other means (is_unproven).
 */

#include <stdbool.h>
#include <stdint.h>

#include "init/base/buf.h"
#include "init/base/err.h"

#define S3_PARTS_MAX 10000
#define S3_ETAG_SIZE 130
/* A download is asked for in ranges of this size, so many at once; an upload in its parts. */
#define S3_RANGE (UINT64_C(32) * 1024 * 1024)
#define S3_PARALLEL 4

/* How far it is; called often. */
struct s3_progress {
	void (*moved)(void *user, uint64_t bytes);
	void *user;
};

struct s3_part {
	const char *url;	 /* presigned, for PUT */
	uint64_t offset, len;	 /* of the file */
	char etag[S3_ETAG_SIZE]; /* as the store gave it; "": not sent yet */
};

struct s3_upload {
	int fd;
	struct s3_part *parts; /* in order; those with an ETag are there already */
	size_t len;
	const char *complete_url; /* presigned, for POST */
	const struct s3_progress *progress;
	bool is_unproven; /* set: the store did not tell what it got */
};

/*
 * 0: it is an object now. 1: the URLs are too old, others have to be asked for. -1: else; parts
 * that arrived have their ETags all the same.
 */
int s3_upload(struct s3_upload *upload, struct err *err) attr_must_use;

/* The list of parts as it is posted; ERR_PROTOCOL for an ETag that would break it. */
int s3_format_parts(const struct s3_part *parts, size_t len, struct buf *ret, struct err *err)
	attr_must_use;

/* Sets the error that the body of an answer says (<Code>, <Message>), and returns -1. */
int s3_explain(int status, struct span body, struct err *err);

struct s3_download {
	const char *url; /* presigned, for GET */
	int fd;
	/*
	 * How much is there already. While it runs, all before this offset is complete, and never
	 * more than S3_PARALLEL ranges behind it are not.
	 */
	uint64_t done;
	uint64_t size;
	const struct s3_progress *progress;
};

/* 0: all is written. 1: the URL is too old. -1: else; done says how much is there. */
int s3_download(struct s3_download *download, struct err *err) attr_must_use;
