/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Why the peer rejected a request: the body that h3_stream_reject() sends, a line of text. It is
 * somebody else's and is shown to users: control characters, and the end of the line, are not.
 *
 *	reason_add(&reason, bytes);                     for each piece of a body that is no answer
 *	err_set(err, kind, "%s", reason_text(&reason, "refused"));
 */

#include "init/base/buf.h"

/* As much as fits into the buffer; the rest says nothing new. */
void reason_add(struct buf *reason, struct span bytes);
/* Borrowed from the buffer, or otherwise if nothing was said. */
const char *reason_text(struct buf *reason, const char *otherwise);
