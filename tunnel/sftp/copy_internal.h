/* SPDX-License-Identifier: MIT */
#pragma once

/* What walk (copy.c) and file (copy_file.c) share; see copy.h. */

#include "copy.h"

/*
 * A directory being copied. It stays until its listing is at its end and nothing of it is under
 * way; then it gets its mode and times. The members of a walk are those of the one on top.
 */
struct copy_dir {
	struct copy_dir *up;
	char *from, *to;
	struct sftp_attrs attrs;
	struct buf handle;
	struct buf names; /* the rest of the last NAME answer */
	uint32_t names_left;
	bool listed;  /* no more will come */
	size_t users; /* files and directories of it that are under way */
};

struct copy_file;

struct copy {
	struct copy_config config;
	struct copy_totals totals;
	struct copy_dir *top;
	struct copy_file *files; /* a list */
	size_t files_len, chunks;
	size_t loose;	 /* requests whose answer nothing waits for */
	size_t source;	 /* the next one */
	bool busy;	 /* the walk waits for an answer */
	bool into;	 /* the target is a directory: things go into it */
	bool is_device;	 /* it is there, and nothing that a rename should replace */
	bool has_target; /* it was looked at */
	bool is_carried; /* between the two, also where both are one that could copy by itself */
	bool stopping;
	/* What the walk is about: a source, or a directory. */
	char *from, *to;
	struct sftp_attrs attrs;
	unsigned int waiting; /* answers that it waits for */
	struct err from_why, to_why;
	struct buf opened; /* the handle of a directory just opened */
};

/* Takes the paths over; dir is NULL at the top. */
void copy_file_start(struct copy *copy, struct copy_dir *dir, char *from, char *to,
		     const struct sftp_attrs *attrs);
void copy_link_start(struct copy *copy, struct copy_dir *dir, char *from, char *to);
/* Reads more where it may. */
void copy_files_turn(struct copy *copy);
void copy_files_stop(struct copy *copy);
void copy_files_free(struct copy *copy);

void copy_fail(struct copy *copy, bool is_source, const char *path, const struct err *why);

/* Something of a directory is over. */
void copy_dir_release(struct copy *copy, struct copy_dir *dir);

/* Asks, and nothing waits for the answer; a failure is told if a path of the target is given. */
void copy_ask_loosely(struct copy *copy, struct sftp_client *client, struct sftp_request *request,
		      const char *path);

/* ".NAME.SUFFIX" in the directory of path; free() it. */
char *copy_part_path(const char *path, bool resume) attr_must_use;
