/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the tunnel's small JSON files have in common: an object with "version": 1, of at most 64
 * KiB. Members of other names are ignored, so that a later version may add some. Files with secrets
 * must not be readable by others, or they are refused, as ssh refuses such a key. Whatever a parsed
 * file held is overwritten when it is freed.
 */

#include <jansson.h>
#include <stdbool.h>

#include "init/base/cleanup.h"
#include "init/base/err.h"
#include "init/base/buf.h"

#define JSONFILE_MAX (64 * 1024)

static inline void jsonfile_free(json_t *object)
{
	json_decref(object);
}
DEFINE_CLEANUP(json_t, jsonfile_free)

/* Reads a file of which group and others may read nothing. Use buf_wipe() on what it returns. */
int jsonfile_read_private(const char *path, struct buf *ret, struct err *err) attr_must_use;

/* Any JSON; NULL, and *err, when it is none. */
json_t *jsonfile_load(struct span text, struct err *err) attr_must_use;
/* NULL, and *err, when the text is not an object with "version": 1. */
json_t *jsonfile_parse(struct span text, struct err *err) attr_must_use;

/* Appends `, "name": value` and releases the value; false when it does not fit. */
bool jsonfile_append(struct buf *b, const char *name, json_t *value) attr_must_use;

/* A member that must be there. Strings and arrays are borrowed from the object. */
int jsonfile_bytes32(const json_t *object, const char *name, uint8_t ret[32], struct err *err)
	attr_must_use;
int jsonfile_string(const json_t *object, const char *name, const char **ret, struct err *err)
	attr_must_use;
int jsonfile_array(const json_t *object, const char *name, const json_t **ret, struct err *err)
	attr_must_use;
int jsonfile_uint(const json_t *object, const char *name, uint64_t max, uint64_t *ret,
		  struct err *err) attr_must_use;
