/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Output files of the user's choice are found through the job directory too: links lead to them.
 */

#include "controller/backends/backend.h"

/* After the job got its id, which is part of such names. */
void slurm_link_output(struct site *site, const struct submission *submission,
		       const char *native_id);
