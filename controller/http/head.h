/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The head of an HTTP/1.1 answer (RFC 9112), for who has to know where exactly it ends: what
 * follows an upgrade is no HTTP any more.
 */

#include <stdbool.h>

#include "init/base/span.h"

#define HTTP_HEAD_MAX 16384

struct http_head {
	int status;
	bool has_length;
	uint64_t length; /* of the body */
};

/* The whole head, with the empty line at its end. False for what is none. */
bool http_head_parse(struct span text, struct http_head *ret) attr_must_use;

/*
 * The value of the first field of this name in a head that was parsed, without the blanks around
 * it; empty when there is none.
 */
struct span http_head_field(struct span text, const char *name);
