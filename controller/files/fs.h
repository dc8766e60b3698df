/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The files of a place: this machine, a login node, the inside of a job, what FirecREST offers. One
 * vtable; verbs of files call the fs_ functions, and what a place cannot do it says.
 *
 *	cleanup(fs_close) struct fs *fs = NULL;
 *	cleanup(fs_list_finish) struct fs_list list = { 0 };
 *
 *	if (fs_sftp_open(&plan, &fs, err) < 0 || fs_list(fs, "out", &list, err) < 0)
 *		return -1;
 *
 * Paths are those of the place; relative ones start at the user's home there, in a job at its
 * working directory. Names are bytes without NUL and slash, of whatever encoding: they are foreign,
 * and whoever shows them makes them harmless (output/table.h).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "init/base/buf.h"
#include "init/base/err.h"

/* Entries of one directory; more are refused. */
#define FS_ENTRIES_MAX 1000000
#define FS_DIGEST_SIZE 65

struct fs_entry {
	char *name;
	char type;     /* as `ls -l` begins a line: - d l p s c b, or ? */
	uint32_t mode; /* 07777 of it */
	uint64_t size;
	uint64_t mtime_s;
	char *user, *group; /* in words where the place tells, else numbers */
	char *target;	    /* of a symbolic link, or NULL */
};

void fs_entry_finish(struct fs_entry *entry);
DEFINE_CLEANUP_VALUE(struct fs_entry, fs_entry_finish)

struct fs_list {
	struct fs_entry *items;
	size_t len;
};

/* Takes over what the entry owns. */
void fs_list_add(struct fs_list *list, struct fs_entry *entry);
void fs_list_sort(struct fs_list *list); /* by name, byte by byte */
void fs_list_finish(struct fs_list *list);
DEFINE_CLEANUP_VALUE(struct fs_list, fs_list_finish)

/* A path made of a directory and a name in it; free() it. */
char *fs_path_join(const char *dir, const char *name) attr_must_use;

/* What fs_archive() does: to .tar.gz, or from it. */
struct fs_archive {
	const char *from; /* what goes into it; or the archive */
	const char *to;	  /* the archive; or the directory to unpack in, which is made */
	bool unpacks;
};

struct journal;

/* How sure a side is that the other has what it has. */
enum fs_doubt {
	FS_SURE,
	FS_LIKELY,   /* SHA-256 is compared where both sides can tell it, else the size */
	FS_DOUBTFUL, /* SHA-256 has to be compared */
};

/*
 * What is in a file of a place, where a transfer has no descriptor: bytes that pass through this
 * process, and memory has some of them at a time.
 */
struct fs_bytes;

struct fs_bytes_ops {
	/* So many from the offset on, and not fewer. */
	int (*read)(struct fs_bytes *bytes, uint64_t offset, void *room, size_t len,
		    struct err *err);
	/* In any order; what failed may be told later. NULL: it can only be read. */
	int (*write)(struct fs_bytes *bytes, uint64_t offset, struct span what, struct err *err);
	/* All is there, with mode and time of *keep, or NULL. */
	int (*flush)(struct fs_bytes *bytes, const struct fs_entry *keep, struct err *err);
	/* It gets its name. */
	int (*finish)(struct fs_bytes *bytes, struct err *err);
	/* Removes what did not get its name; frees what embeds it. */
	void (*close)(struct fs_bytes *bytes);
};

struct fs_bytes {
	const struct fs_bytes_ops *ops;
	char *name; /* of the file, meanwhile */
};

struct fs_bytes *fs_bytes_close(struct fs_bytes *bytes);
DEFINE_CLEANUP(struct fs_bytes, fs_bytes_close)

/* A whole file on its way, between a place and a descriptor of ours, or another place. */
struct fs_transfer {
	int fd;
	struct fs_bytes *bytes; /* instead; or NULL */
	uint64_t size;
	struct journal *journal; /* what is noted, and what an interrupted run noted; or NULL */
	bool keeps;  /* a later run goes on with it, and this one with what an earlier one left */
	bool is_new; /* put(): nothing of this name was there */
	void (*moved)(void *user, uint64_t bytes); /* how much is carried; or NULL */
	void *user;
	/* Set: */
	enum fs_doubt doubt;
	char here[FS_DIGEST_SIZE], there[FS_DIGEST_SIZE]; /* SHA-256, where known by the way */
	bool has_no_sum; /* the place cannot tell that of this file */
};

/* A directory with what is in it, and one on the other side, which is there and empty. */
struct fs_tree {
	const char *from, *to;
	bool preserve;
	void (*part)(void *user, const char *path); /* as in copy.h */
	void *user;
};

struct fs;

struct fs_ops {
	/*
	 * Mandatory. The absolute path without links and dots; "~" is known there. All but the last
	 * name has to be there.
	 */
	int (*resolve)(struct fs *fs, const char *path, char **ret, struct err *err);

	/* Mandatory. What is in a directory, but for "." and "..", in any order. */
	int (*list)(struct fs *fs, const char *path, struct fs_list *ret, struct err *err);

	/* Mandatory. A symbolic link itself, or what it leads to; the name is the path. */
	int (*stat)(struct fs *fs, const char *path, bool follows, struct fs_entry *ret,
		    struct err *err);

	/* Mandatory. ERR_EXISTS: there is something of this name. */
	int (*make_dir)(struct fs *fs, const char *path, struct err *err);

	/* Mandatory. Replaces a file, as rename(2) does. */
	int (*rename)(struct fs *fs, const char *from, const char *to, struct err *err);

	/* Mandatory. A file, a link (not what it leads to), or a directory with what is in it. */
	int (*remove)(struct fs *fs, const char *path, bool is_dir, struct err *err);

	/* Mandatory. */
	int (*chmod)(struct fs *fs, const char *path, uint32_t mode, struct err *err);

	/* Mandatory. Appends at most max bytes from the offset on; nothing: it ends there. */
	int (*read)(struct fs *fs, const char *path, uint64_t offset, size_t max, struct buf *ret,
		    struct err *err);

	/* Mandatory. SHA-256 in hexadecimal. */
	int (*checksum)(struct fs *fs, const char *path, char ret[FS_DIGEST_SIZE], struct err *err);

	/*
	 * From the place and to it, where it carries files as wholes; NULL where it speaks SFTP.
	 * put() makes the file, or replaces what is in it.
	 */
	int (*get)(struct fs *fs, const char *path, struct fs_transfer *transfer, struct err *err);
	int (*put)(struct fs *fs, const char *path, struct fs_transfer *transfer, struct err *err);

	/*
	 * A tree as a whole, where that is quicker than its files one by one, or keeps more of it.
	 * False: it did not go, for whatever reason; some of it may be there. NULL: never.
	 */
	bool (*get_tree)(struct fs *fs, const struct fs_tree *tree);
	bool (*put_tree)(struct fs *fs, const struct fs_tree *tree);

	/*
	 * For copies between places; source: what the source is like. A place with get() and
	 * put() has them only read.
	 */
	int (*bytes)(struct fs *fs, const char *path, const struct fs_entry *source, bool writes,
		     struct fs_bytes **ret, struct err *err);

	/*
	 * Within the place, as `cp -R`: a file, a link, or a directory with what is in it, to where
	 * nothing is yet; of a file there may be one. NULL: cannot.
	 */
	int (*copy)(struct fs *fs, const char *from, const char *to, const struct fs_entry *source,
		    struct err *err);

	/* NULL: cannot. */
	int (*archive)(struct fs *fs, const struct fs_archive *archive, struct err *err);

	/* Frees what embeds it. */
	void (*close)(struct fs *fs);
};

/* The base of each: implementations embed it first. */
struct fs {
	const struct fs_ops *ops;
	char *name; /* what goes before the colon in messages, or NULL for this machine */
};

struct fs *fs_close(struct fs *fs);
DEFINE_CLEANUP(struct fs, fs_close)

/* The vtable's members, with the path in their errors. The list is sorted. */
int fs_resolve(struct fs *fs, const char *path, char **ret, struct err *err) attr_must_use;
int fs_list(struct fs *fs, const char *path, struct fs_list *ret, struct err *err) attr_must_use;
int fs_stat(struct fs *fs, const char *path, bool follows, struct fs_entry *ret, struct err *err)
	attr_must_use;
int fs_rename(struct fs *fs, const char *from, const char *to, struct err *err) attr_must_use;
int fs_chmod(struct fs *fs, const char *path, uint32_t mode, struct err *err) attr_must_use;
int fs_read(struct fs *fs, const char *path, uint64_t offset, size_t max, struct buf *ret,
	    struct err *err) attr_must_use;
int fs_checksum(struct fs *fs, const char *path, char ret[FS_DIGEST_SIZE], struct err *err)
	attr_must_use;
int fs_archive(struct fs *fs, const struct fs_archive *archive, struct err *err) attr_must_use;

/* Whether a copy is there whole, where nobody gives sums. Errors are without a name. */
int fs_check_size(struct fs *fs, const char *path, uint64_t size, struct err *err) attr_must_use;

/* What a transfer is from or to: all of these bytes, or failure. */
int fs_transfer_read(const struct fs_transfer *t, uint64_t offset, void *room, size_t len,
		     struct err *err) attr_must_use;
int fs_transfer_write(const struct fs_transfer *t, uint64_t offset, struct span bytes,
		      struct err *err) attr_must_use;

/* Whether a place that failed to tell a sum has none of this file: too large, or it never has. */
bool fs_is_no_sum(const struct err *why);

/* mkdir, with parents as -p: then those that are there are as good as made. */
int fs_make_dir(struct fs *fs, const char *path, bool parents, struct err *err) attr_must_use;

/*
 * rm. A directory only if recursive. ERR_DENIED for what nobody means: an empty path, the root, the
 * home (what "~" resolves to) and what it lies in, "." and "..".
 */
int fs_remove(struct fs *fs, const char *path, bool recursive, struct err *err) attr_must_use;

/* The path as fs_resolve() has it, but a link at its end is not followed. */
int fs_resolve_link(struct fs *fs, const char *path, char **ret, struct err *err) attr_must_use;

/* So much of a file's beginning or end; in lines where lines is not 0, else bytes. */
struct fs_part {
	uint64_t lines, bytes;
};

/* Writes it to a descriptor of ours. */
int fs_head(struct fs *fs, const char *path, const struct fs_part *part, int fd, struct err *err)
	attr_must_use;
int fs_tail(struct fs *fs, const char *path, const struct fs_part *part, int fd, struct err *err)
	attr_must_use;
