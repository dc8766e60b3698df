/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The field section of a request or a response, as far as we care: the pseudo-header fields. Others
 * are counted, so that nobody can send them without end (nghttp3 leaves that limit to us), and
 * dropped.
 */

#include "init/base/err.h"
#include "init/base/span.h"
#include "tunnel/h3/conn.h"

#define H3_FIELDS_BYTES_MAX (16 * 1024)

struct h3_fields {
	char *method, *protocol, *authority, *path; /* NULL: absent */
	char *once;				    /* idempotency-key, see once.h */
	int status;				    /* 0: absent */
	size_t count, bytes;
};

void h3_fields_finish(struct h3_fields *fields);
DEFINE_CLEANUP_VALUE(struct h3_fields, h3_fields_finish)

/*
 * ERR_LIMIT for too many or too large ones, ERR_INVALID for a bad value; the section is to be
 * refused then.
 */
int h3_fields_add(struct h3_fields *fields, struct span name, struct span value, struct err *err)
	attr_must_use;

/* The request that they stand for (RFC 9114 section 4.3.1, RFC 9220); it borrows from fields. */
int h3_fields_request(const struct h3_fields *fields, struct h3_request *ret, struct err *err)
	attr_must_use;

/* The other way: a copy of what is to be asked for. */
int h3_fields_from_request(const struct h3_request *request, struct h3_fields *ret, struct err *err)
	attr_must_use;
