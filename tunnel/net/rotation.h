/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Gives a workstation another key for a running job, or its first one, in the two files
 * (job_file.h), so that there is a working client file at every moment, whenever this is killed.
 * Each step replaces one file:
 *
 *	                                      CLIENT        CLIENT.new    tunnel.json accepts
 *	before                                old                         old
 *	rotation_begin()   writes the new key old           new           old
 *	                   lets it in         old           new           old, new
 *	  (somebody shows that CLIENT.new gets into the job)
 *	rotation_finish()  renames it         new                         old, new
 *	                   drops the old one  new                         new
 *
 * From wherever it was interrupted, beginning again leads to the end. The same for a workstation
 * that has no key of the job yet, without the old one. Keys of other workstations are left alone.
 *
 * A job whose file does not say whose its one key is was made for one workstation at a time: who
 * has no key takes that one's place.
 */

#include <stdio.h>

#include "init/base/err.h"

struct rotation {
	const char *job_file, *client_file;
	const char *name; /* of this workstation, or NULL; "-2" and so on are appended to it */
	/* Of a workstation that has no client file yet, as in that. */
	const char *login; /* or NULL */
	bool no_punch;
};

/* The path of CLIENT.new; the caller frees it. */
char *rotation_next_file(const struct rotation *rotation);
/* ERR_LIMIT when there is no place for one more workstation. */
int rotation_begin(const struct rotation *rotation, struct err *err) attr_must_use;
/* ERR_UNAVAILABLE when there is nothing that could be finished: then begin. */
int rotation_finish(const struct rotation *rotation, struct err *err) attr_must_use;

/*
 * Lets the workstation of this name in no more (ERR_NOT_FOUND names those there are), or with NULL
 * nobody: then the job's file has a key that nobody has.
 */
int rotation_revoke(const char *job_file, const char *name, struct err *err) attr_must_use;

/* Prints who is let in, a line each: the name, or "-", and "here" for who has this client file. */
int rotation_list(const struct rotation *rotation, FILE *out, struct err *err) attr_must_use;
