/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Files, directories and links on their way to a directory behind FirecREST: as one archive, or as
 * few as the server's limit for what goes directly allows. Where one does not take all as it is,
 * entries are packed and the packed pieces put behind each other, which the unpacking program reads
 * as one: so that archives are filled, and nothing is packed twice. A piece that is larger than the
 * limit by itself goes through the server's store (files/firecrest.h).
 *
 *	struct parcel parcel = PARCEL_INIT(fc, dir, name, limit, packs);
 *
 *	while (... )
 *		if (parcel_add(&parcel, change, "a/b", err) < 0)
 *			return -1;
 *	if (parcel_end(&parcel, err) < 0)
 *		return -1;
 *
 * The archive keeps its name, so that there is one to be removed.
 */

#include "controller/backends/firecrest/changes.h"

#define PARCEL_MAX ((size_t)1024 * 1024 * 1024)

struct parcel {
	struct firecrest *fc;
	const char *dir;  /* where it is unpacked, and lies until it is removed */
	const char *name; /* of the archive */
	size_t direct_max;
	bool packs;
	struct buf plain;  /* entries as they are */
	struct buf packed; /* pieces */
	size_t packer;	   /* in use; the first that works */
};

#define PARCEL_INIT(fc, dir, name, direct_max, packs)                             \
	{                                                                         \
		(fc), (dir), (name), (direct_max), (packs), BUF_INIT(PARCEL_MAX), \
			BUF_INIT(PARCEL_MAX), 0                                   \
	}

void parcel_finish(struct parcel *parcel);
DEFINE_CLEANUP_VALUE(struct parcel, parcel_finish)

/* The name is relative to the directory. ERR_LIMIT: it is too large for an archive. */
int parcel_add(struct parcel *parcel, const struct file_change *change, const char *name,
	       struct err *err) attr_must_use;

/* Sends the rest; all of it is there and unpacked then. */
int parcel_end(struct parcel *parcel, struct err *err) attr_must_use;

/* What an archive may have of an entry beside its bytes. */
#define PARCEL_ENTRY_MAX 4096

/* mkdir -p and mode 0700. */
int parcel_make_private(struct firecrest *fc, const char *dir, struct err *err) attr_must_use;
