/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Archives in the format of tar(5), as GNU tar writes it: headers of ustar, and GNU's own entries
 * before those whose names are longer than a header holds. A directory with all that is in it
 * reaches a place that knows no shell as one file: a container, or a site behind a server. They
 * are read with everything skipped that is no name, type or content.
 *
 *	cleanup(buf_wipe) struct buf tar = BUF_INIT(ARCHIVE_MAX);
 *
 *	if (!tar_add(&tar, &(struct tar_file){ .name = "x/", .mode = 0700 }) ||
 *	    !tar_add(&tar, &(struct tar_file){ .name = "x/y", .mode = 0600, .content = bytes }) ||
 *	    !tar_end(&tar))
 *		return err_set(err, ERR_LIMIT, "...");
 */

#include <stdbool.h>
#include <sys/types.h>

#include "init/base/buf.h"
#include "init/base/err.h"

#define TAR_BLOCK 512

struct tar_file {
	const char *name; /* relative; one that ends with a slash is a directory */
	mode_t mode;
	uid_t uid;
	gid_t gid;
	uint64_t modified; /* seconds since the epoch */
	const char *link;  /* what a symbolic link leads to, or NULL */
	struct span content;
};

/* False: the buffer is full, there is no name, or a number is too large for a header. */
bool tar_add(struct buf *archive, const struct tar_file *file) attr_must_use;

/* Two empty blocks. */
bool tar_end(struct buf *archive) attr_must_use;

struct tar_entry {
	char name[155 + 1 + 100 + 1]; /* what a header holds of it */
	char type;		      /* '0' a file, '5' a directory, '2' a symbolic link, ... */
	struct span content;
};

/*
 * The next entry, whose content is borrowed and leaves *archive. 1; 0: there is none; -1: this is
 * no archive, or it breaks off. Extended headers are entries too ('x', 'g', 'L', 'K').
 */
int tar_next(struct span *archive, struct tar_entry *ret, struct err *err) attr_must_use;

/* The content of the first file in it, whatever its name. ERR_NOT_FOUND. */
int tar_first_file(struct span archive, struct span *ret, struct err *err) attr_must_use;
