/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Who replaces a file of a site holds a lock for some milliseconds. The lock is a symbolic link
 * beside the file: symlink(2) makes it whole or not at all, on network file systems as well, and
 * its target says who holds it. So one whose holder died is dropped at once by everybody on the
 * same machine, who can see that, and by all others when it is old.
 */

#include "init/base/buf.h"
#include "init/base/err.h"
#include "init/base/macro.h"

#define SITE_LOCK_OLD_S 60
#define SITE_LOCK_PATIENCE_MS 10000

/* free() it. */
char *site_lock_path(const char *path) attr_must_use;

/* Here. ERR_UNAVAILABLE: somebody held it all the time of our patience. */
int site_lock_take(const char *lock, struct err *err) attr_must_use;
void site_lock_drop(const char *lock);

/*
 * The same as a POSIX shell's script, which goes on with $l as the lock it holds (`rm -f "$l"`
 * drops it), or exits with this status and says why. False: no room.
 */
bool site_lock_append(struct buf *script, const char *lock, int status) attr_must_use;
