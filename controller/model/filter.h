/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Which jobs a verb is about. All verbs that take many jobs take the same options: put FILTER_OPTS
 * into the table of options and a struct filter_args into its struct.
 *
 *	struct args { struct filter_args filter; bool all; };
 *
 *	static const struct opt opts[] = {
 *		FILTER_OPTS(struct args, filter),
 *		OPT_END,
 *	};
 *
 *	struct filter filter;
 *
 *	if (filter_parse(&args->filter, &filter, err) < 0)
 *		return -1;
 *	filter_apply(&filter, now_ns, &jobs);
 *
 * Options of different kinds are joined by AND; several values of one kind (repeated, or separated
 * by commas) by OR. ops_select() in ops/jobs.h does all of it, with operands and a fresh look at
 * the scheduler.
 */

#include "controller/model/job.h"
#include "init/base/opt.h"

struct filter_args {
	struct opt_list states;	 /* our words, in any case; "open" and "ended" */
	struct opt_list names;	 /* patterns of fnmatch(3) */
	struct opt_list queues;	 /* the same */
	struct opt_list jobsets; /* the same */
	struct opt_list nodes;	 /* names of nodes */
	uint64_t older_than_ns;	 /* made at least so long ago; 0: any */
};

/* clang-format off */
#define FILTER_OPTS(type, member)                                                             \
	OPT_LIST('s', "state", type, member.states, "STATE", "only in these states, or open, ended"), \
	OPT_LIST(0, "name", type, member.names, "PATTERN", "only of these names (train*)"),    \
	OPT_LIST(0, "queue", type, member.queues, "PATTERN", "only in these queues"),          \
	OPT_LIST(0, "jobset", type, member.jobsets, "PATTERN", "only in these jobsets"),       \
	OPT_LIST(0, "node", type, member.nodes, "NODE", "only on these nodes"),                \
	OPT_DURATION(0, "older-than", type, member.older_than_ns, "DURATION",                  \
		     "only submitted longer ago")
/* clang-format on */

/* Borrows the strings of the arguments. All-zero accepts every job. */
struct filter {
	const struct filter_args *args;
	uint32_t states; /* a bit for each state that is accepted; 0: all are */
};

/* ERR_INVALID names a state that there is not, and those that there are. */
int filter_parse(const struct filter_args *args, struct filter *ret, struct err *err) attr_must_use;

/* Whether nothing was asked for: then a verb that changes jobs wants operands or --all. */
bool filter_is_empty(const struct filter *filter);

bool filter_accepts(const struct filter *filter, uint64_t now_ns, const struct job *job);

/* Takes the jobs that are not accepted out of the list; the others keep their order. */
void filter_apply(const struct filter *filter, uint64_t now_ns, struct job_list *jobs);
