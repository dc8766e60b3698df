/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Parts of a file by offset, for logs and small files: one request, whatever the size of the file.
 * The API answers with text, in which bytes that are no UTF-8 are replaced: where that happened,
 * the whole file is fetched as it is, as long as it goes directly.
 */

#include "controller/firecrest/client.h"
#include "controller/model/log_part.h"

/*
 * Appends what the file holds from this offset on, at most max bytes (nothing: it ends there); its
 * last max bytes when the offset is LOG_END.
 * ERR_NOT_FOUND: there is none. Of a file that is too large to go directly, bytes that are no UTF-8
 * come as '?'.
 */
int firecrest_read_part(struct firecrest *fc, const char *path, uint64_t offset, size_t max,
			struct buf *ret, struct err *err) attr_must_use;

/* Text of an answer, at most max bytes: what was replaced is one '?', so that offsets stay near. */
int firecrest_append_text(const char *text, size_t max, struct buf *ret, struct err *err)
	attr_must_use;
