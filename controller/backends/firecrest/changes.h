/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Changes of files that wait for the next flush of a site (site.h), and how they get there.
 */

#include <sys/types.h>

#include "controller/firecrest/client.h"

enum change_kind { CHANGE_DIR, CHANGE_FILE, CHANGE_LINK };

struct file_change {
	enum change_kind kind;
	char *path, *target; /* target: of a link */
	mode_t mode;
	struct buf bytes;
};

struct changes {
	struct file_change *items;
	size_t len;
	char **removed; /* what is to go, after all else */
	size_t removed_len;
	char *archive; /* lies there since a flush before: to be removed, or written over */
	char *home;    /* the site's own directory when it was asked for just now, or NULL */
};

void changes_finish(struct changes *changes);

void changes_add_dir(struct changes *changes, const char *path);
/* ERR_LIMIT: more than can be kept. */
int changes_add_file(struct changes *changes, const char *path, struct span bytes, mode_t mode,
		     struct err *err) attr_must_use;
void changes_add_link(struct changes *changes, const char *target, const char *path);
void changes_add_removal(struct changes *changes, const char *path);

/*
 * Makes all of them, in their order, and forgets them, whatever comes of it. direct_max is what the
 * server takes in one piece. The archive stays until the next flush: nobody waits for its removal,
 * and what follows at once may take its place.
 */
int changes_flush(struct changes *changes, struct firecrest *fc, size_t direct_max, struct err *err)
	attr_must_use;
