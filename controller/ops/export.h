/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Entering a job from a machine that cannot ask its scheduler: all that is needed goes there in one
 * file (export_file.h), with a key of its own that is listed and revoked as any other (rekey.h).
 *
 * There the job is entered by what is in the file, directly or through its relays; how it is, is
 * what was last known. It counts as ended when the file has expired: with the job's time limit, or
 * after EXPORT_DAYS.
 */

#include "controller/ops/controller.h"
#include "init/base/buf.h"

#define EXPORT_DAYS 7

/*
 * Gives a workstation a key (its name in the job: workstation, or NULL), and appends the file,
 * which the caller wipes.
 */
int ops_export(struct controller *c, const struct job *job, const char *workstation,
	       struct buf *ret, struct err *err) attr_must_use;

/*
 * Makes record, key and Host block of such a file. A job that came in a file before gets the key
 * of this one; ERR_EXISTS for one that is known otherwise, ERR_UNAVAILABLE for a file that has
 * expired.
 */
int ops_import(struct controller *c, struct span text, struct job *ret, struct notes *notes,
	       struct err *err) attr_must_use;

/* Reads the file: 0600 and ours, else it is refused; "-" is standard input. */
int ops_read_export(const char *path, struct buf *ret, struct err *err) attr_must_use;
