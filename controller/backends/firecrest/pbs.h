/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Submissions to a system whose scheduler is PBS. The call hands the script itself over, since qsub
 * runs a file that it is named as it is and reads no #PBS lines in it; these say what the job gets
 * (qsub(1B), pbs_resources(7B)). What it prints goes to files of the job directory from the
 * beginning: PBS would bring it when the job has ended.
 *
 * One chunk of one node, with one rank. Arrays are refused: FirecREST has no name for one ("7[]").
 * Pure text, no I/O.
 */

#include "controller/backends/backend.h"
#include "controller/model/json.h"

/* ERR_UNSUPPORTED names an option that PBS behind FirecREST does not take. */
int pbs_check(const struct spec *spec, struct err *err) attr_must_use;

int pbs_write_script(const struct submission *submission, struct buf *ret, struct err *err)
	attr_must_use;

/* The body of POST /compute/{system}/jobs; release *ret. */
int pbs_make_submission(const struct submission *submission, const char *script, json_t **ret,
			struct err *err) attr_must_use;
