/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * JSON from outside: size and depth limited, one object and nothing after it. The one place where
 * jansson's parser is called in the controller. And JSON for people to read.
 */

#include <jansson.h>

#include "init/base/buf.h"
#include "init/base/cleanup.h"
#include "init/base/err.h"
#include "init/base/span.h"

/*
 * From here on jansson wipes what it frees, so that tokens and secrets that were read from JSON are
 * nowhere in memory when their values are released. Before the first value is made. Texts that
 * json_dumps() gives are the caller's, as before.
 */
void json_wipe_freed(void);

/* What it does to memory before that is freed; NULL is nothing. */
void json_wipe(void *memory);

static inline void json_release(json_t *json)
{
	json_decref(json);
}
DEFINE_CLEANUP(json_t, json_release)

/* The same for an object or an array. */
int json_parse_any(struct span text, size_t max, json_t **ret, struct err *err) attr_must_use;

/* Parses one JSON object of at most max bytes; the caller releases *ret. */
int json_parse(struct span text, size_t max, json_t **ret, struct err *err) attr_must_use;

/* Appends it for people: indented, members in the order in which they were set, a newline. */
bool json_append_readable(struct buf *b, const json_t *json) attr_must_use;
