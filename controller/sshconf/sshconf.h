/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How ssh learns of our jobs. Each job has one file of its own in ~/.ssh/berth/, so that collecting
 * it is unlinking it; the user's own ~/.ssh/config gets one line, SSHCONF_INCLUDE, once, at its
 * top.
 *
 * The top, because in ssh_config(5) the first value wins, and a line below "Host" would hold for
 * that host only. The rest of the user's file is kept byte for byte, with its mode; where it is a
 * symbolic link, the file that it leads to is replaced. What the user made read-only is not
 * touched: then the line is theirs to add, and `berth ssh` works without it.
 */

#include "controller/model/job.h"
#include "init/base/err.h"

#define SSHCONF_INCLUDE "Include berth/*.conf"

struct sshconf {
	const char *config;	 /* ~/.ssh/config */
	const char *jobs_dir;	 /* ~/.ssh/berth */
	const char *state_dir;	 /* names us in our files: nobody else's are touched */
	const char *known_hosts; /* pins our host key */
	const char *program;	 /* berth, absolute */
	const char *path;	 /* the only way to go (a word), or NULL */
	/* Of an sshd in the job that ssh talks to instead of us; both or NULL. */
	const char *port; /* digits */
	const char *user; /* who logs in there; NULL: as ssh is configured */
};

/*
 * Makes ssh read our files. 1: it does, or did already. 0: it does not, because the user's file is
 * read-only; *ret_why says what is. -1: something is wrong with it, and nothing was changed.
 */
int sshconf_include(const struct sshconf *sc, char **ret_why, struct err *err) attr_must_use;

/* Whether ssh reads our files: 1, 0 or -1. Changes nothing. */
int sshconf_has_include(const struct sshconf *sc, struct err *err) attr_must_use;

/* Writes the job's file. A file of that name that is not ours stays, and is an error. */
int sshconf_add_job(const struct sshconf *sc, const struct job *job, struct err *err) attr_must_use;

/* Removes the job's file if it is there and ours. */
int sshconf_remove_job(const struct sshconf *sc, uint64_t id, struct err *err) attr_must_use;

/* Removes what a berth left that died while it wrote the job's file. */
int sshconf_remove_parts(const struct sshconf *sc, uint64_t id, struct err *err) attr_must_use;

/* The ids of all jobs that have a file of ours, or a part of one. free() the array. */
int sshconf_list_jobs(const struct sshconf *sc, uint64_t **ret_ids, size_t *ret_len,
		      struct err *err) attr_must_use;

/* The nth option of a job's Host block, as `ssh -o` takes it; NULL after the last. free() it. */
char *sshconf_option(const struct sshconf *sc, size_t n) attr_must_use;
