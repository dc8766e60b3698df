/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Files wherever they are. An operand is CLUSTER:PATH, JOB:PATH or a path of this machine; a colon
 * behind a slash is a part of the path. Where a cluster and a job have one name, the cluster is
 * meant, and that is told.
 *
 *	cleanup(files_close) struct files *files = NULL;
 *
 *	if (ops_files_open(c, &plan, "hpc:out", &files, err) < 0 ||
 *	    fs_list(files->fs, files->path, &list, err) < 0)
 *		return -1;
 *
 * Relative paths start at the home of a cluster's user, at the working directory of a job.
 */

#include "controller/files/fs.h"
#include "controller/files/sftp.h"
#include "controller/ops/connect.h"
#include "controller/ops/where.h"

/* Large files take their time. */
#define FILES_CARRY_NS (6 * 3600 * NSEC_PER_SEC)

struct files_plan {
	uint64_t wait_ns;  /* at most so long for a job to run */
	uint64_t carry_ns; /* for a server's job that carries a file; 0: FILES_CARRY_NS */
	const struct progress *progress;
	struct notes *notes; /* or NULL */
	bool wants_server;   /* of ours on a login node, for what OpenSSH's cannot do */
};

struct files {
	struct fs *fs;
	char *path;
	char *cluster; /* whose files they are; NULL: a path of this machine */
	/* What follows is that of the implementation. */
	struct site *site;
	struct argv exec; /* runs a program in the job */
	struct fs_runner runner;
};

/*
 * How `berth-tunnel cp` gets to the place of an operand: the command up to its own options, and
 * what its path is there.
 */
struct files_way {
	struct argv command; /* berth-tunnel, cp, and options without "from-" or "to-" */
	char *base;	     /* where relative paths start; NULL: where the server starts them */
	bool is_here;	     /* on this machine, also as a cluster's */
	bool carries_whole;  /* does not speak SFTP: fs_copy() is for it */
};

void files_way_finish(struct files_way *way);
DEFINE_CLEANUP_VALUE(struct files_way, files_way_finish)

int ops_files_way(struct controller *c, const struct files_plan *plan, const char *operand,
		  struct files_way *ret, struct err *err) attr_must_use;
/* The path of an operand there. free() it. */
char *files_way_path(const struct files_way *way, const char *operand) attr_must_use;

/* Where interrupted transfers are noted (controller/files/journal.h). free() it. */
char *ops_files_journals(const struct controller *c) attr_must_use;

/* The length of what stands before the colon, or 0 for a path of this machine. */
size_t files_place_len(const char *operand);
/* Whether two operands are in one place, by its name. */
bool files_same_place(const char *a, const char *b);
/* The path of an operand; "" is the directory that relative ones start at. */
const char *files_path(const char *operand);

int ops_files_open(struct controller *c, const struct files_plan *plan, const char *operand,
		   struct files **ret, struct err *err) attr_must_use;
struct files *files_close(struct files *files);
DEFINE_CLEANUP(struct files, files_close)

/*
 * Refuses (ERR_DENIED) to remove or move away what belongs to a job that has not ended: its
 * directory, what is in it, and what it is in.
 */
int ops_files_check_free(struct controller *c, struct files *files, const char *path,
			 struct err *err) attr_must_use;

/*
 * Copies all of an operand to another place, as `berth cp -rp --verify`, which this runs: whose
 * words are in ret->errors, and whose status is 0 where all is there with the same sums.
 */
int ops_files_carry(struct controller *c, const char *from, const char *to, struct child *ret,
		    struct err *err) attr_must_use;

/* fs_remove() and fs_rename() of what is free. */
int ops_files_remove(struct controller *c, struct files *files, const char *path, bool recursive,
		     struct err *err) attr_must_use;
int ops_files_rename(struct controller *c, struct files *files, const char *from, const char *to,
		     struct err *err) attr_must_use;
