/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What `berth run` and `berth submit` share: a specification becomes a job, and its name is shown.
 */

#include "controller/cmd/cmd.h"
#include "controller/model/spec.h"
#include "controller/model/spec_options.h"

struct cmd_submission {
	const char *backend;
	bool wait;    /* return when the job runs */
	bool quiet;   /* print only the name */
	bool dry_run; /* print what the scheduler would be handed, and do nothing */
};

/* Options of a verb whose `struct args` has a `struct spec spec` that they fill: all of a job. */
#define SUBMISSION_STR(letter, name, member, value, help) \
	OPT_STR(letter, name, struct args, spec.member, value, help)
#define SUBMISSION_UINT(letter, name, member, value, help) \
	OPT_UINT(letter, name, struct args, spec.member, value, help)
#define SUBMISSION_SIZE(letter, name, member, value, help) \
	OPT_SIZE(letter, name, struct args, spec.member, value, help)
#define SUBMISSION_DURATION(letter, name, member, value, help) \
	OPT_DURATION(letter, name, struct args, spec.member, value, help)
#define SUBMISSION_FLAG(letter, name, member, value, help) \
	OPT_FLAG(letter, name, struct args, spec.member, help)
#define SUBMISSION_LIST(letter, name, member, value, help) \
	OPT_LIST(letter, name, struct args, spec.member, value, help)
#define SUBMISSION_OPT(kind, letter, name, member, value, check, sbatch, local, help) \
	SUBMISSION_##kind(letter, name, member, value, help),
#define SUBMISSION_ALIAS(kind, name, member) SUBMISSION_##kind(0, name, member, "VALUE", NULL),
#define SUBMISSION_OPTS SPEC_OPTIONS(SUBMISSION_OPT) SPEC_ALIASES(SUBMISSION_ALIAS)

/* Makes directories absolute, relative to ours; says what is wrong. */
int cmd_submit_one(struct controller *c, const struct cmd_submission *how, const struct spec *spec,
		   struct err *err) attr_must_use;
