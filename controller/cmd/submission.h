/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What `berth run` and `berth submit` share: a specification becomes a job, and its name is shown.
 */

#include "controller/cmd/cmd.h"
#include "controller/model/spec.h"

struct cmd_submission {
	const char *backend;
	bool wait;    /* return when the job runs */
	bool quiet;   /* print only the name */
	bool dry_run; /* print what the scheduler would be handed, and do nothing */
};

/* Makes directories absolute, relative to ours; says what is wrong. */
int cmd_submit_one(struct controller *c, const struct cmd_submission *how, const struct spec *spec,
		   struct err *err) attr_must_use;
