/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Files by path. Everything that others may read at any time is written by fs_write_file(): readers
 * see the old or the new content, never a part, and a full disk loses nothing.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "buf.h"
#include "err.h"

/* Reads a whole file of at most max bytes; appends to *ret. */
int fs_read_file(const char *path, size_t max, struct buf *ret, struct err *err) attr_must_use;

/*
 * Writes through a temporary file in the same directory, fsync(2) and rename(2), with exactly the
 * given mode. A symbolic link at path is replaced; resolve it first where it should be followed.
 */
int fs_write_file(const char *path, struct span bytes, mode_t mode, struct err *err) attr_must_use;

/*
 * The same without fsync(2), which costs milliseconds: readers see all of it or nothing, and after
 * a power cut it may be empty. For what is of no use to anybody then.
 */
int fs_write_file_unsynced(const char *path, struct span bytes, mode_t mode, struct err *err)
	attr_must_use;

/*
 * The same two for a file that must be new: ERR_EXISTS, and nothing changed, when there is one. Of
 * several writers at the same time exactly one succeeds.
 */
int fs_create_file(const char *path, struct span bytes, mode_t mode, struct err *err) attr_must_use;
int fs_create_file_unsynced(const char *path, struct span bytes, mode_t mode, struct err *err)
	attr_must_use;

/* mkdir -p; existing directories are kept as they are, new ones get the mode. */
int fs_make_dirs(const char *path, mode_t mode, struct err *err) attr_must_use;

/* rm -r, without following symbolic links or crossing into other file systems; a missing path is
 * success. */
int fs_remove_tree(const char *path, struct err *err) attr_must_use;

bool fs_exists(const char *path);

/* Whether it is there, and was last changed before this time (of CLOCK_REALTIME, whole seconds). */
bool fs_is_older(const char *path, uint64_t before_ns);

/* "a/b" from "a" and "b"; an absolute second part wins. free() it. */
char *fs_join(const char *dir, const char *name) attr_must_use;
