/* SPDX-License-Identifier: MIT */
/*
 * dumb-init's command line, as of version 1.2.5. Unless told otherwise the command leads a session
 * of its own, signals go to its process group, and those by which a terminal stops a program stop
 * the command for certain, and us with it, so that a shell above us notices.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init/base/opt.h"
#include "plan.h"

struct args {
	struct opt_list rewrite;
	bool single_child, verbose, help, version;
};

static const struct opt opts[] = {
	OPT_FLAG('c', "single-child", struct args, single_child, NULL),
	OPT_LIST('r', "rewrite", struct args, rewrite, "s:r", NULL),
	OPT_FLAG('v', "verbose", struct args, verbose, NULL),
	OPT_FLAG('h', "help", struct args, help, NULL),
	OPT_FLAG('V', "version", struct args, version, NULL),
	OPT_END,
};

static bool is_set_to(const char *name, const char *value)
{
	const char *text = getenv(name);

	return text && strcmp(text, value) == 0;
}

static int fill(const struct args *args, struct plan *plan)
{
	struct forward_rules *rules = &plan->rules;

	rules->single_child = args->single_child || is_set_to("DUMB_INIT_SETSID", "0");
	plan->own_session = !rules->single_child;
	/* What is not told of signals is not told to end either, unless it ends with PID 1. */
	plan->subreaper = plan->own_session;
	plan->stops_too = true;
	/*
	 * In a session without a terminal of its shell these would be ignored. Where nobody could
	 * continue us (PID 1), nobody would continue the command either: they stay what they are.
	 */
	if (plan->own_session && getpid() != 1)
		rules->becomes[SIGTSTP] = rules->becomes[SIGTTIN] = rules->becomes[SIGTTOU] =
			SIGSTOP;
	for (size_t i = 0; i < args->rewrite.len; i++) {
		if (forward_parse_rewrite(args->rewrite.items[i], rules))
			continue;
		fputs("Usage: -r option takes <signum>:<signum>, where <signum> is between 1 and "
		      "64.\nThis option can be specified multiple times.\n"
		      "Use --help for full usage.\n",
		      stderr);
		return PLAN_REFUSED;
	}
	if (args->verbose || is_set_to("DUMB_INIT_DEBUG", "1"))
		plan->talk = TALK_SIGNALS;
	return PLAN_RUN;
}

static int make(int argc, char **argv, struct plan *plan, struct err *err)
{
	static struct args args;
	int operands;

	args = (struct args){ 0 };
	operands = opt_parse(opts, OPT_STOP_AT_OPERAND, argc, argv, &args, err);
	if (operands < 0)
		fprintf(stderr, "dumb-init: %s\n", err->text);
	else if (args.version)
		fputs("dumb-init v1.2.5 (berth-init " BERTH_VERSION ")\n", stderr);
	else if (args.help)
		fputs("Usage: dumb-init [option] command [[arg] ...]\n\n"
		      "   -c, --single-child   Send signals to the command alone\n"
		      "   -r, --rewrite s:r    Send signal r in place of s; 0: none\n"
		      "   -v, --verbose        Say what happens\n"
		      "   -h, --help           Show this\n"
		      "   -V, --version        Show the version\n",
		      stderr);
	else if (operands > 0)
		return fill(&args, plan);
	else
		fputs("Usage: dumb-init [option] program [args]\n"
		      "Try dumb-init --help for full usage.\n",
		      stderr);
	return operands >= 0 && (args.version || args.help) ? PLAN_DONE : PLAN_REFUSED;
}

const struct personality personality_dumb_init = {
	.names = (const char *const[]){ "dumb-init", NULL },
	.name = "dumb-init",
	.failure = { "[dumb-init] ", ": ", 2, 2 },
	.make = make,
};
