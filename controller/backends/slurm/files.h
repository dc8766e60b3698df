/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a job of Slurm finds in its directory: the batch script, and what its launcher reads.
 * Whoever submits it writes them first.
 */

#include "controller/backends/backend.h"

/* The batch script of a job. free() it. */
char *slurm_script_path(const struct job *job);

/*
 * Everything that the job needs is there before it can start; may wait for the next question. The
 * script is put last.
 */
int slurm_put_script(struct site *site, const struct submission *submission, struct err *err)
	attr_must_use;
int slurm_put_files(struct site *site, const struct submission *submission, struct err *err)
	attr_must_use;
