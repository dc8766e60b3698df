/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Archives in the format of tar(5), as GNU tar writes it: POSIX ustar headers, and GNU's own
 * entries for names that are longer than those hold. A directory with all that is in it reaches a
 * place that knows no shell as one file.
 *
 *	cleanup(buf_wipe) struct buf tar = BUF_INIT(TAR_MAX);
 *
 *	if (!archive_add_dir(&tar, "x", 0700) || !archive_add_file(&tar, "x/y", 0600, bytes) ||
 *	    !archive_end(&tar))
 *		return err_set(err, ERR_LIMIT, "...");
 *
 * Each is false when the buffer is full. Names are relative; owners are whoever unpacks it.
 */

#include <sys/types.h>

#include "init/base/buf.h"

bool archive_add_dir(struct buf *tar, const char *name, mode_t mode) attr_must_use;
bool archive_add_file(struct buf *tar, const char *name, mode_t mode, struct span bytes)
	attr_must_use;
bool archive_add_link(struct buf *tar, const char *name, const char *target) attr_must_use;

/* Two empty blocks. */
bool archive_end(struct buf *tar) attr_must_use;
