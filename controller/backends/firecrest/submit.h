/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a submission through FirecREST is made of: the batch script with its #SBATCH lines, the file
 * of its variables, and the body of the call. Pure text, no I/O.
 *
 * sbatch reads the words of those lines with rules of its own: between double quotes all but a
 * quote and a backslash stands for itself. Values of variables are in a file that only the user can
 * read, not in the script, which the scheduler keeps and shows.
 */

#include "controller/backends/backend.h"
#include "controller/model/json.h"

/* In the job directory. */
#define FIRECREST_SCRIPT "script.sh"
#define FIRECREST_VARIABLES "environment.sh"

int firecrest_write_script(const struct submission *submission, struct buf *ret, struct err *err)
	attr_must_use;

/* Nothing is appended when the job sets no variables. */
int firecrest_write_variables(const struct submission *submission, struct buf *ret, struct err *err)
	attr_must_use;

/* The body of POST /compute/{system}/jobs; release *ret. */
int firecrest_make_submission(const struct submission *submission, json_t **ret, struct err *err)
	attr_must_use;

/* How much of a script is comments and empty lines: there a scheduler looks for its own. */
size_t firecrest_head_len(struct span script);

/* What stands before the command: the directory of the job, and its variables. */
bool firecrest_add_environment(const struct submission *submission, struct buf *b) attr_must_use;

/* A word for a line of #SBATCH. */
bool firecrest_append_word(struct buf *b, const char *word) attr_must_use;
