/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the values of our capsules are made of: numbers, which are varints (RFC 9000 section 16),
 * and strings, which are a varint length and bytes. Readers cut from the front of *s and name what
 * is missing:
 *
 *	if (value_read_string(&s, &path, err, "path") < 0 ||
 *	    value_read_uint(&s, UINT16_MAX, &port, err, "port") < 0 || value_end(s, err) < 0)
 *		return err_wrap(err, "LISTEN");
 */

#include <stdbool.h>

#include "init/base/buf.h"
#include "init/base/err.h"

int value_read_uint(struct span *s, uint64_t max, uint64_t *ret, struct err *err, const char *what)
	attr_must_use;
/* The span points into *s. */
int value_read_string(struct span *s, struct span *ret, struct err *err, const char *what)
	attr_must_use;
/* An error if anything is left. */
int value_end(struct span rest, struct err *err) attr_must_use;

bool value_append_string(struct buf *b, struct span s) attr_must_use;
