/* SPDX-License-Identifier: MIT */
/*
 * tini's command line, as of version 0.19: for images that start it by name, and for `docker run
 * --init`, which starts `docker-init -- COMMAND`. Its own behaviour is kept where it is meant so:
 * signals go to the child alone unless -g is given, and orphans are adopted only when asked for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "init/base/opt.h"
#include "init/base/text.h"
#include "plan.h"

/* dockerd takes what is before " - " for the version. */
#define VERSION_LINE "tini version 0.19.0 - berth-init " BERTH_VERSION "\n"

struct args {
	struct opt_list remap;
	const char *parent_death;
	uint64_t verbose;
	bool subreaper, warn_on_reap, group, license, help, version;
};

static const struct opt opts[] = {
	OPT_FLAG('h', NULL, struct args, help, NULL),
	OPT_FLAG('s', NULL, struct args, subreaper, NULL),
	OPT_STR('p', NULL, struct args, parent_death, "SIGNAL", NULL),
	OPT_COUNT('v', NULL, struct args, verbose, NULL),
	OPT_FLAG('w', NULL, struct args, warn_on_reap, NULL),
	OPT_FLAG('g', NULL, struct args, group, NULL),
	OPT_LIST('e', NULL, struct args, remap, "EXIT_CODE", NULL),
	OPT_FLAG('l', NULL, struct args, license, NULL),
	OPT_FLAG(0, "version", struct args, version, NULL),
	OPT_END,
};

static const char usage[] =
	"Usage: tini [OPTIONS] PROGRAM -- [ARGS] | --version\n\n"
	"  -s            Adopt orphans without being PID 1 (TINI_SUBREAPER)\n"
	"  -p SIGNAL     Get SIGNAL when the parent dies\n"
	"  -v            Say more, up to 3 times (TINI_VERBOSITY, default: 1)\n"
	"  -w            Tell of each orphan that ended\n"
	"  -g            Send signals to the process group (TINI_KILL_PROCESS_GROUP)\n"
	"  -e EXIT_CODE  Exit with 0 when the program does with EXIT_CODE\n"
	"  -h, -l        Show this, or the license\n";

static int refuse(const char *option, const char *value)
{
	fprintf(stderr, "[FATAL tini (%d)] Not a valid option for %s: %s\n", (int)getpid(), option,
		value);
	return PLAN_REFUSED;
}

/* tini counts from 1, warnings, to 4; what it says at 0 is never about what we do. */
static enum plan_talk choose_talk(const struct args *args)
{
	const char *text = getenv("TINI_VERBOSITY");
	uint64_t level = TALK_WARNINGS;

	if (text && !text_parse_uint(text, TALK_ALL, &level))
		level = TALK_NONE;
	return (enum plan_talk)MIN(level + args->verbose, (uint64_t)TALK_ALL);
}

static int fill(const struct args *args, struct plan *plan)
{
	for (size_t i = 0; i < args->remap.len; i++) {
		if (!plan_parse_remap(args->remap.items[i], plan))
			return refuse("-e", args->remap.items[i]);
	}
	if (args->parent_death && !signo_parse(args->parent_death, &plan->parent_death))
		return refuse("-p", args->parent_death);
	plan->subreaper = args->subreaper || getenv("TINI_SUBREAPER");
	plan->rules.single_child = !args->group && !getenv("TINI_KILL_PROCESS_GROUP");
	plan->warn_on_reap = args->warn_on_reap;
	plan->talk = choose_talk(args);
	if (getpid() != 1 && !plan->subreaper && plan->talk >= TALK_WARNINGS)
		fprintf(stderr,
			"[WARN  tini (%d)] Not PID 1 and no child subreaper, so zombie reaping "
			"won't work: use -s or TINI_SUBREAPER\n",
			(int)getpid());
	/* Warnings are few: not for them is a copy of standard error kept. */
	if (plan->talk == TALK_WARNINGS && !plan->warn_on_reap)
		plan->talk = TALK_NONE;
	return PLAN_RUN;
}

static int make(int argc, char **argv, struct plan *plan, struct err *err)
{
	static struct args args;
	int operands;

	args = (struct args){ 0 };
	operands = opt_parse(opts, OPT_STOP_AT_OPERAND, argc, argv, &args, err);
	if (operands > 0 && !args.help && !args.version && !args.license)
		return fill(&args, plan);
	if (operands < 0)
		fprintf(stderr, "tini: %s\n", err->text);
	if (args.version)
		fputs(VERSION_LINE, stdout);
	else if (args.license)
		fputs("The MIT License (MIT)\n", stdout);
	else
		fputs(usage, operands < 0 || !args.help ? stderr : stdout);
	return operands >= 0 && (args.help || args.version || args.license) ? PLAN_DONE
									    : PLAN_REFUSED;
}

const struct personality personality_tini = {
	.names = (const char *const[]){ "tini", "tini-static", "docker-init", NULL },
	.name = "tini",
	.failure = { "[FATAL tini] exec ", " failed: ", COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE },
	.make = make,
};
