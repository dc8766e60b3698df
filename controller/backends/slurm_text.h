/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What we write for Slurm and what Slurm writes for us: options of sbatch and the batch script, job
 * ids, the lines of squeue and sacct. Pure text, no I/O.
 *
 * Slurm prints times in seconds since the epoch when SLURM_TIME_FORMAT is "%s".
 */

#include "controller/backends/backend.h"
#include "controller/run/argv.h"
#include "init/base/span.h"

/*
 * One line: id|state|exit|start|end|reason, the reason last: it may hold a '|'. squeue of Slurm
 * 22.05 prints the exit as a wait status, newer ones as sacct does: code:signal.
 */
#define SLURM_QUEUE_FORMAT "JobID:|,State:|,exit_code:|,StartTime:|,EndTime:|,Reason:"
#define SLURM_ACCOUNT_FORMAT "JobIDRaw,State,ExitCode,Start,End,Reason"

#define SLURM_SCRIPT_MAX (1024 * 1024)

/*
 * Our state for Slurm's word ("CANCELLED by 0" is CANCELLED); UNKNOWN for one that we do not know.
 */
enum job_state slurm_state(const char *word);

/* Each takes the next line from *text. 1: a job; 0: a line that is not one; -1: no line left. */
int slurm_next_line(struct span *text, uint64_t *ret_id, struct observation *ret);

/* The id in what `sbatch --parsable` prints: "123" or "123;cluster". */
bool slurm_parse_submitted(struct span text, uint64_t *ret_id) attr_must_use;

/* The options of sbatch, without the script. */
void slurm_add_options(struct argv *argv, const struct submission *submission);

/* The batch script: one task is berth-init itself, more are started by srun. */
int slurm_write_script(const struct submission *submission, struct buf *ret, struct err *err)
	attr_must_use;
