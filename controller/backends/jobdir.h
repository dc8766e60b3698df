/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What every backend with a job directory shares: reading what the job left there, on a file system
 * of this machine or through a login node (site.h; NULL is here). A job can write there too, so
 * that nothing in it is trusted.
 */

#include "controller/backends/backend.h"
#include "controller/model/status.h"

/* 1: *ret is the rank's status. 0: there is none yet. -1: it cannot be read or understood. */
int jobdir_read_status(struct site *site, const char *dir, unsigned int rank, struct status *ret,
		       struct err *err) attr_must_use;

/*
 * What the status files of all ranks say together: ended when every rank ended, and then as the
 * first rank that failed; running when one has started; else UNKNOWN. Fills state, exit code,
 * signal and times, and a reason where there is one.
 */
void jobdir_observe(struct site *site, const struct job *job, struct observation *ret);

/*
 * The same for one task of an array, as far as it is known there; false when it left nothing. Only
 * what the file tells is changed in the run.
 */
bool jobdir_observe_run(struct site *site, const struct job *job, struct run *run);

/* Why a job still runs though the command of its first rank has ended: it is held. */
void jobdir_explain_hold(struct site *site, const struct job *job, struct observation *ret);

/* The read_log and endpoint members of such backends. */
int jobdir_read_log(struct backend *backend, const struct job *job, const struct log_part *part,
		    struct buf *ret, struct err *err);
/* The log_since member, by stdout.times (init/base/log_times.h). */
int jobdir_log_since(struct backend *backend, const struct job *job, uint64_t since_ns,
		     struct log_part *part, struct err *err);
int jobdir_expect_logs(struct backend *backend, const struct job *job, const struct log_part *parts,
		       size_t len, uint64_t since_ns, struct err *err);
int jobdir_endpoint(struct backend *backend, const struct job *job, unsigned int rank, char **ret,
		    struct err *err);

/* The first line of a file in the directory that says something, or "": why a job did not start. */
void jobdir_first_line(const char *dir, const char *name, char *out, size_t size);

/* A job of whatever workstation, as its scheduler lists it. Texts are foreign. */
struct located {
	const char *path; /* of a file in its directory, DIRECTORY/UID/NAME */
	const char *file; /* NAME, which makes it one of ours */
	const char *native_id, *native_state, *name;
	enum job_state state;
};

#define JOBDIR_SCRIPT "script.sh"

/*
 * Standard input of a job of slurmrestd: a link to /dev/null in the job directory, by the name of
 * which such a job is found. The name of the script would do as well, but slurmrestd has no place
 * for it: "argv" makes that of 22.05 crash.
 */
#define JOBDIR_INPUT "stdin"

/*
 * Where script.sh leads in the directory of a job that is about to be submitted: to what its
 * submitter is told later.
 */
#define JOBDIR_NO_SCRIPT "/proc/self/fd/0"
/* Whether its submitter died before this time with no more than that in it. */
bool jobdir_is_left(const char *directory, uint64_t before_ns) attr_must_use;
/* Removes one of which that is true; false: there was none, or it cannot be removed. */
bool jobdir_remove_left(const char *directory, uint64_t before_ns);

/*
 * Adds a record of it with directory, uid, created_ns and what stands above, unless it is none of
 * ours. What is listed with the same directory again is a task of the same array: when one runs,
 * the job does.
 */
void jobdir_add_located(const struct located *located, struct job_list *ret);

/*
 * The UDP and TCP port of the tunnel where nobody can read which it found: the same for a job
 * whenever it is asked for, and none that the kernel chooses (ephemeral), or clusters publish.
 */
uint16_t jobdir_port(const struct job *job);

/* Copies text for people: control characters become '?', and it is cut to size. */
void jobdir_copy_text(char *out, size_t size, const char *text);

/* Nanoseconds since the epoch. */
uint64_t jobdir_now_ns(void);
