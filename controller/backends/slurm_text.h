/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What we write for Slurm: options of sbatch and the batch script; and the job id that comes back.
 * Pure text, no I/O.
 */

#include "controller/backends/backend.h"
#include "controller/run/argv.h"
#include "init/base/span.h"

#define SLURM_SCRIPT_MAX (1024 * 1024)

/* The id in what `sbatch --parsable` prints: "123" or "123;cluster". */
bool slurm_parse_submitted(struct span text, uint64_t *ret_id) attr_must_use;

/* The options of sbatch, without the script. */
void slurm_add_options(struct argv *argv, const struct submission *submission);

/* The batch script: one task is berth-init itself, more are started by srun. */
int slurm_write_script(const struct submission *submission, struct buf *ret, struct err *err)
	attr_must_use;
