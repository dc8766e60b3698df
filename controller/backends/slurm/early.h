/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * An sbatch that is started before there is a job. Half of its time it reads slurm.conf and looks
 * for the user; that passes while we record the job and write what it finds in its directory.
 *
 * It is told the script's path, where a link leads to its standard input: a pipe, on which it
 * waits. The whole script, once all that the job needs is there, takes the link's place and goes
 * through the pipe in one piece. When we are killed before, sbatch reads an end without a script,
 * which it refuses; it never reads half of one. Slurm knows the job by the script's path, as if it
 * had read that. What is left then is a directory with this link in it, for which there may not
 * even be a record: jobdir_remove_left() tells whoever collects.
 *
 * The number of the job is not known when sbatch gets its arguments; a job without a name gets it
 * by a line of the script, unless the environment or a template of the site could say another one.
 *
 * Only on this machine, and for scripts that a pipe takes at once (CHILD_PIECE_MAX), which nearly
 * all are. Everything else goes the usual way.
 */

#include "controller/backends/backend.h"
#include "controller/run/argv.h"
#include "controller/run/child.h"

struct early {
	char *uid; /* of the job; NULL: none is begun */
	struct argv argv;
	const char **env;
	struct running *running;
	bool is_taken; /* it has said that Slurm has the job */
};

/* What goes wrong leaves none begun. */
void slurm_prepare(struct backend *backend, const struct submission *submission);

/* Waits for one that has handed over its job, which takes no time; kills one that has not. */
void early_finish(struct early *early);

/*
 * Hands over what slurm_prepare() began for this job, and everything else is there; *ret_id is what
 * Slurm calls it. 1: done; 0: none was begun, or it is not for this script, or something stands in
 * for sbatch that cannot read such a one: nothing was submitted.
 */
int early_submit(struct early *early, const struct submission *submission, uint64_t *ret_id,
		 struct err *err) attr_must_use;

/* Variables for sbatch: what --env says. Borrows from the specification; free() it. */
const char **slurm_submit_environment(const struct spec *spec);
