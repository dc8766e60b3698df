/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Files behind a program that speaks SFTP on its standard input and output: `berth-tunnel sftp` on
 * this machine, ssh to a login node, `berth-tunnel ssh --subsystem sftp` for a job. One code for
 * all three, which asks many things at once where a round trip would be waited for.
 */

#include "controller/files/fs.h"
#include "controller/run/child.h"
#include "controller/run/remote.h"

/*
 * How a place runs one of its own programs, for what SFTP has no request for (tar). As child_run():
 * the arguments reach the program unchanged.
 */
struct fs_runner {
	int (*run)(void *owner, const char *const *argv, struct child *ret, struct err *err);
	void *owner;
};

struct fs_sftp_plan {
	const char *name;	 /* struct fs; or NULL */
	const char *const *argv; /* the program */
	const char *dir;	 /* its working directory here, or NULL */
	bool is_marked;		 /* what it prints up to the line REMOTE_SFTP_MARK is no SFTP */
	const struct fs_runner *runner; /* must last as long as the fs; or NULL: this machine */
};

/* Starts the program; what is wrong with it shows with the first request. */
int fs_sftp_open(const struct fs_sftp_plan *plan, struct fs **ret, struct err *err) attr_must_use;

/*
 * User and group in a line of `ls -l` as servers send it with each name: "-rw-r--r-- 1 ann users
 * 12 ...". False: it does not look so. free() both.
 */
bool fs_sftp_owners(struct span longname, char **ret_user, char **ret_group) attr_must_use;
