/* SPDX-License-Identifier: MIT */
#pragma once

/* What both ways of an S3 store share; see s3.h. */

#include "controller/files/s3.h"
#include "controller/http/http.h"

#define S3_ROUNDS 4
/* So many parts or ranges are handed over together, of which some are under way. */
#define S3_TOGETHER 64
#define S3_TIMEOUT_MS (12 * 3600 * 1000U)
#define S3_STALL_MS 60000
#define S3_ANSWER_MAX (1024 * 1024)

/* "http://host:9000/bucket/key?..." is a server and a path. */
struct s3_address {
	char *base;
	const char *path; /* in the URL */
};

void s3_address_finish(struct s3_address *address);
DEFINE_CLEANUP_VALUE(struct s3_address, s3_address_finish)
int s3_split_url(const char *url, struct s3_address *ret, struct err *err) attr_must_use;

/* Whether an answer says that its URL is too old, or the upload that it is of gone. */
bool s3_is_stale(const struct http_response *response);
bool s3_has_code(const struct http_response *response, const char *code);
