/* SPDX-License-Identifier: MIT */
#pragma once

/* What a line of /stat looks like to people: one row of a table. */

#include "init/base/buf.h"
#include "init/base/err.h"

#define STAT_LINE_MAX (64 * 1024)

/* Appends the names of the columns, as one line. */
bool stat_table_head(struct buf *ret) attr_must_use;

/*
 * Appends the row for one line of JSON (see berth-tunnel-protocol(7)); members that are missing or
 * of another kind are "-". ERR_PROTOCOL when it is no object of version 1; ERR_LIMIT when there is
 * no room.
 */
int stat_table_row(struct span line, struct buf *ret, struct err *err) attr_must_use;
