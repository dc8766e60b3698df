/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Slurm, by slurmrestd: its HTTP interface on TCP or a Unix socket. No command of Slurm's is needed
 * here, but the files are: the job directory lies on a file system that this machine and the nodes
 * see, or the cluster has a login node for them (site.h). Everything else is as with backend slurm,
 * the readers and the table of states of which are used.
 */

#include "controller/backends/backend.h"

/*
 * Takes the site over on success. Nothing is asked yet. ERR_INVALID: a setting is missing or wrong.
 */
int slurmrest_backend_open(const struct backend_settings *settings, struct site *site,
			   struct backend **ret, struct err *err) attr_must_use;
