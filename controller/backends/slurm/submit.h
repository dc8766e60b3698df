/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What we write for sbatch, its options and the batch script, and the job id that comes back. Pure
 * text, no I/O.
 *
 * Options are words of an argument vector, never lines of the script: no shell and no parser of
 * Slurm's reads them, and they win over the user's SBATCH_ variables. Values have passed
 * spec_check(), so that each is "--option=value" as the user wrote it.
 */

#include "controller/backends/backend.h"
#include "controller/run/argv.h"
#include "init/base/span.h"

#define SLURM_SCRIPT_MAX (1024 * 1024)

/* Slurm's limits are in minutes; a limit that is not a whole number of them is rounded up. */
uint64_t slurm_minutes(uint64_t ns);

/* Its ranks are steps of srun; else the batch script becomes berth-init. */
bool slurm_has_steps(const struct spec *spec);

/* Where the batch script runs; the container's directory is the launcher's affair. */
const char *slurm_directory(const struct submission *submission);

/* The user's name for it, or "job-7". free() it. */
char *slurm_job_name(const struct submission *submission);

/*
 * A file name for --output and the like, where '%' begins a replacement and '\\' forbids them all;
 * the name may have one of its own. free() it.
 */
char *slurm_file_pattern(const char *dir, const char *name);
/* The file name that such a pattern means where nothing in it is replaced, in place. */
void slurm_undo_pattern(char *pattern);

/*
 * The pattern of a file in the job directory; of an array one for each task, whose index Slurm puts
 * into its name. free() it.
 */
char *slurm_own_file(const struct submission *submission, const char *name);

/*
 * sbatch and its options, without the script; without a name where the job has none yet (id 0) and
 * the user gave it none.
 */
void slurm_add_options(struct argv *argv, const struct submission *submission);

/* The batch script: one task is berth-init itself, more are started by srun. */
int slurm_write_script(const struct submission *submission, struct buf *ret, struct err *err)
	attr_must_use;

/* What is said when there is none. */
extern const char slurm_no_id[];

/* The id in what `sbatch --parsable` prints: "123" or "123;cluster". */
bool slurm_parse_submitted(struct span text, uint64_t *ret_id) attr_must_use;

/*
 * The file that a file name pattern of --output or --error means for this job, or for this task of
 * an array, absolute. False when that depends on what is known only where the job runs (the node,
 * the step).
 */
#define SLURM_NO_TASK UINT64_MAX
bool slurm_expand_pattern(const char *pattern, const struct submission *submission,
			  const char *native_id, uint64_t task, struct buf *ret) attr_must_use;
