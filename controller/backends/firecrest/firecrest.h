/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Jobs of a system behind FirecREST. The job directory is written through the API (site.h), the job
 * submitted with the path of its script; options are #SBATCH lines of that, since the API has but
 * few. Jobs are asked about with one list for all of them; one alone by its id.
 *
 * Batch scripts are Slurm's, or those of PBS (pbs.h) where the setting `scheduler` says so.
 */

#include "controller/backends/backend.h"

/* The site is site_firecrest_new()'s; it is taken over on success. */
int firecrest_backend_open(const struct backend_settings *settings, struct site *site,
			   struct backend **ret, struct err *err) attr_must_use;
