/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Whether a signal that reached us was sent to everybody below us as well. Slurm does one or the
 * other: its slurmstepd tells the processes that it started, us (proctrack/cgroup as it comes), or
 * the whole tree (SignalChildrenProcesses, proctrack/linuxproc); and for one and the same job it
 * tells the batch script alone when that was asked for (scancel --batch, sbatch --signal=B:). What
 * the command was told already is not passed on, or it would get it twice; what only we were told
 * is, or it would be lost. The signal itself does not say.
 *
 * So a process stands beside the command and does nothing but note what it is sent, when, in memory
 * that it shares with us: it is told what everybody is told. The senders take microseconds from one
 * process to the next; WITNESS_PATIENCE is how long a signal is held back where nobody else was
 * told. Without such a process, or when it was killed, every signal is passed on.
 */

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "init/base/signo.h"

#define WITNESS_PATIENCE (100 * NSEC_PER_MSEC)
/* What came longer ago belongs to a signal that we have dealt with. */
#define WITNESS_MEMORY NSEC_PER_SEC

struct witness_notes {
	_Atomic uint64_t told[SIGNO_LAST + 1]; /* when, in nanoseconds; 0: never */
};

/* All-zero is none. */
struct witness {
	pid_t pid;
	struct witness_notes *notes;
};

/* Every signal has to be blocked. Failing to start one is having none. */
void witness_start(struct witness *w);

/* Ends it and reaps it. */
void witness_stop(struct witness *w);

/* Waits at most WITNESS_PATIENCE for the witness to be told too. Each telling counts once. */
bool witness_was_told(struct witness *w, int signo);

/* A child ended: false when it was not the witness. */
bool witness_on_exit(struct witness *w, const siginfo_t *ended);
