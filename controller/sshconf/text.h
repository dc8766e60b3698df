/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Text of ssh_config(5): looking for our Include line in the user's file, and putting it there.
 * Pure functions on bytes; the file belongs to the user and is not interpreted further than this.
 */

#include <stdbool.h>

#include "init/base/buf.h"
#include "init/base/err.h"

enum text_include {
	TEXT_INCLUDE_MISSING, /* or below a Host or Match line, where it does not always hold */
	TEXT_INCLUDE_PRESENT,
	TEXT_NOT_TEXT, /* NUL bytes: whatever it is, ssh will not read it */
};

enum text_include text_find_include(struct span config);

/* Our line, the line ending that the file uses, and the file as it was. */
int text_add_include(struct span config, struct buf *ret, struct err *err) attr_must_use;
