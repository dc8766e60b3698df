/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Copies files and trees to or from a place that carries whole files (get and put of struct
 * fs_ops), as cp(1) does: into a target that is a directory, else to that name. The other side is
 * this machine, or any place: then the bytes pass through (pass.h), or, where both are one, never
 * leave it. What comes here is written beside its place and gets its name when it is complete; what
 * goes there is the server's to complete.
 *
 * One failure does not stop the others: each is told once (complain), the first decides.
 */

#include "controller/files/fs.h"

struct fs_copy_ops {
	void (*complain)(void *user, const char *path, bool is_source, const struct err *why);
	/* A file of so many bytes begins; so much of it is carried. */
	void (*began)(void *user, const char *path, uint64_t size);
	void (*moved)(void *user, uint64_t bytes);
	/* What is incomplete is here now, and of no use if this process ends; NULL: nothing is. */
	void (*part)(void *user, const char *path);
};

struct fs_copy {
	struct fs *from, *to; /* NULL: this machine, not for both */
	bool recursive, preserve, resume, verify;
	const char *const *sources;
	size_t len;
	const char *target;
	const char *journals; /* the directory of what may be gone on with (journal.h); or NULL */
	const struct fs_copy_ops *ops;
	void *user;
};

/*
 * 0: all is there. 1: some are not, which was told; *err has the kind of the first. -1: nothing was
 * begun.
 */
int fs_copy(const struct fs_copy *copy, struct err *err) attr_must_use;

/*
 * What is beside a file until it is complete; of a copy that may be gone on with it is the same
 * each time. free() it.
 */
char *fs_copy_part(const char *path, bool is_kept) attr_must_use;
