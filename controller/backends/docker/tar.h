/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Archives in the form of POSIX.1-2017's pax (ustar), as the engine takes and gives files: written
 * with nothing but a name, a mode and a content, and read with everything else skipped.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "init/base/buf.h"
#include "init/base/err.h"

#define TAR_BLOCK 512
#define TAR_NAME_MAX 99

struct tar_file {
	const char *name; /* one that ends with a slash is a directory */
	mode_t mode;
	uid_t uid;
	gid_t gid;
	const char *link; /* what a symbolic link leads to, or NULL */
	struct span content;
};

/* False: a name is too long, or the buffer is full. */
bool tar_add(struct buf *archive, const struct tar_file *file) attr_must_use;
bool tar_end(struct buf *archive) attr_must_use;

struct tar_entry {
	char name[TAR_NAME_MAX + 1 + 155 + 2];
	char type; /* '0' a file, '5' a directory, '2' a symbolic link, ... */
	struct span content;
};

/*
 * The next entry, whose content is borrowed and leaves *archive. 1; 0: there is none; -1: this is
 * no archive, or it breaks off. Extended headers are entries too ('x', 'g', 'L').
 */
int tar_next(struct span *archive, struct tar_entry *ret, struct err *err) attr_must_use;

/* The content of the first file in it, whatever its name. ERR_NOT_FOUND. */
int tar_first_file(struct span archive, struct span *ret, struct err *err) attr_must_use;
