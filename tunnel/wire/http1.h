/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Heads of HTTP/1.1 messages (RFC 9112), as far as a byte stream needs them to come into being:
 * CONNECT at a proxy, and Upgrade (RFC 9110 section 7.8). Strict: lines end with CR LF, names are
 * tokens, no line is folded, nothing is guessed; who writes otherwise is refused.
 *
 *	struct http1_head head;
 *	size_t len;
 *	int done = http1_parse_response(bytes, &head, &len, err);
 *
 *	done < 0	not HTTP/1, or a head that is too long: nothing can follow
 *	done == 0	the head is not all there: call again with the same bytes and more
 *	done == 1	the first `len` of the bytes were the head; what follows is what it leads to
 *
 * Bytes that are not all there are looked at only as far as the first line, so that it costs little
 * to call this for each piece that arrives. All spans of the head point into the bytes.
 */

#include <stdbool.h>

#include "init/base/buf.h"
#include "init/base/err.h"

#define HTTP1_HEAD_MAX 8192 /* bytes of a head; a longer one is refused */
#define HTTP1_FIELDS_MAX 64

struct http1_field {
	struct span name, value; /* the value without spaces around it */
};

struct http1_head {
	struct span method, target; /* of a request */
	unsigned int status;	    /* of a response: 100 to 599 */
	struct span reason;	    /* of a response; may be empty, and is somebody else's text */
	unsigned int minor;	    /* HTTP/1.minor: 0 or 1 */
	struct http1_field fields[HTTP1_FIELDS_MAX];
	size_t fields_len;
};

int http1_parse_request(struct span bytes, struct http1_head *ret, size_t *ret_len, struct err *err)
	attr_must_use;
int http1_parse_response(struct span bytes, struct http1_head *ret, size_t *ret_len,
			 struct err *err) attr_must_use;

/*
 * The value of a field that may be there once. False: it is not there, or more than once. Names are
 * compared without regard to case (RFC 9110 section 5.1).
 */
bool http1_field(const struct http1_head *head, const char *name, struct span *ret) attr_must_use;
/*
 * Whether a field, which may be there several times, lists this token (RFC 9110 section 5.6.1),
 * case ignored. A member ends at a comma; what follows a ';' or a space in it does not count, so
 * that "Basic realm=x" is "Basic".
 */
bool http1_has_token(const struct http1_head *head, const char *name, const char *token)
	attr_must_use;
/*
 * A message that says nothing about a body: neither Transfer-Encoding, nor a Content-Length other
 * than 0. For requests, after whose head the bytes are somebody else's.
 */
bool http1_has_no_body(const struct http1_head *head) attr_must_use;
