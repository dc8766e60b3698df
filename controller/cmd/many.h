/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Verbs that change jobs take them by name, or by what they have in common: the options of
 * model/filter.h, or --all. Several jobs that were not named one by one are asked about before they
 * are touched.
 *
 *	struct args { struct many_args many; bool hard; };
 *
 *	static const struct opt opts[] = { MANY_OPTS(struct args, many), OPT_END };
 *
 *	const struct many many = { .args = &args->many, .what = "cancel", .argc = argc, .argv = argv };
 *
 *	chosen = many_choose(c, &many, &jobs, err);
 *	if (chosen <= 0)
 *		return chosen;
 */

#include "controller/model/filter.h"
#include "controller/ops/controller.h"

struct many_args {
	struct filter_args filter;
	bool all;
	bool yes;
	bool dry_run;
};

/* clang-format off */
#define MANY_OPTS(type, member)                                                                \
	FILTER_OPTS(type, member.filter),                                                      \
	OPT_FLAG('a', "all", type, member.all, "all jobs to which it can be done"),            \
	OPT_FLAG('y', "yes", type, member.yes, "do not ask"),                                  \
	OPT_FLAG(0, "dry-run", type, member.dry_run, "only say which jobs it would be done to")
/* clang-format on */

/* For verbs that have no other options: their struct is this one. */
struct many_only {
	struct many_args many;
};
#define MANY_ONLY_OPTS MANY_OPTS(struct many_only, many), OPT_END

struct many {
	const struct many_args *args;
	const char *what; /* "cancel" */
	int argc;	  /* operands: names of jobs, after the word "jobs" that may precede them */
	char **argv;

	/* Jobs that were not named and do not fit are left out; NULL: those that have ended. */
	bool (*fits)(const void *arg, const struct job *job);
	const void *arg;
};

/*
 * The jobs, as they are now. 1: go on; 0: there is nothing to do (none fits, a dry run, or the user
 * said no), and that was said; -1: no job was named, or a backend does not answer.
 */
int many_choose(struct controller *c, const struct many *many, struct job_list *ret,
		struct err *err) attr_must_use;
