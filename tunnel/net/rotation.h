/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Replaces the workstation's key in the two files of a running job (job_file.h), so that there is a
 * working client file at every moment, whenever this is killed. Each step replaces one file:
 *
 *	                                      CLIENT        CLIENT.new    tunnel.json accepts
 *	before                                old                         old
 *	rotation_begin()   writes the new key old           new           old
 *	                   lets it in         old           new           old, new
 *	  (somebody shows that CLIENT.new gets into the job)
 *	rotation_finish()  renames it         new                         old, new
 *	                   drops the old one  new                         new
 *
 * From wherever it was interrupted, beginning again leads to the end.
 */

#include "init/base/err.h"

struct rotation {
	const char *job_file, *client_file;
};

/* The path of CLIENT.new; the caller frees it. */
char *rotation_next_file(const struct rotation *rotation);
int rotation_begin(const struct rotation *rotation, struct err *err) attr_must_use;
/* ERR_UNAVAILABLE when there is nothing that could be finished: then begin. */
int rotation_finish(const struct rotation *rotation, struct err *err) attr_must_use;

/* Puts a key into the job's file that nobody has. */
int rotation_revoke(const char *job_file, struct err *err) attr_must_use;
