/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Parts of files behind a login node, all in one message: the script that prints them, and what it
 * printed. What comes back is foreign; each part is handed out once, so that nobody reads anew what
 * has grown since. Pure text, no I/O.
 *
 *	INDEX KIND OFFSET LENGTH		KIND: p the part, n the notes beside it
 *	so many bytes
 *	INDEX KIND				there is no such file
 */

#include "controller/backends/site.h"
#include "init/base/buf.h"
#include "init/base/span.h"

struct site_parts_item {
	char *path;
	uint64_t offset;
	size_t max;
	bool is_missing;
	struct buf bytes;
};

struct site_parts {
	struct site_parts_item *items;
	size_t len;
};

void site_parts_finish(struct site_parts *parts);
DEFINE_CLEANUP_VALUE(struct site_parts, site_parts_finish)

/* Appends the script; false when it is too long. */
bool site_parts_write(const struct site_part *parts, size_t len, struct buf *script) attr_must_use;

/* Replaces what was there by what the script printed. */
int site_parts_parse(const struct site_part *parts, size_t len, struct span printed,
		     struct site_parts *ret, struct err *err) attr_must_use;

/* 1: appended, less than max at the end of the file; 0: nothing is known of it. */
int site_parts_take(struct site_parts *parts, const char *path, uint64_t offset, size_t max,
		    struct buf *ret, struct err *err) attr_must_use;
