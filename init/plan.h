/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the command line asks for, worked out and allocated to the last byte before anything is
 * started: after the first fork nothing is allocated any more. A plan points into itself and is not
 * copied.
 *
 * The name that we are started under decides whose command line it is: our own, or that of tini or
 * dumb-init, whose place we take. A personality is only another way to make a plan; what is done
 * with it is one and the same.
 */

#include <stdbool.h>

#include "command.h"
#include "forward.h"
#include "hold.h"
#include "init/base/cleanup.h"
#include "init/base/err.h"

#define PLAN_TUNNEL_ARGS 10
#define PLAN_NUMBER_SIZE 16

/* How much is said on standard error; each includes those before. */
enum plan_talk {
	TALK_NONE,
	TALK_WARNINGS,
	TALK_EVENTS,  /* starts and ends */
	TALK_SIGNALS, /* each signal, each orphan */
	TALK_ALL      /* who sent it, and what came with it */
};

struct plan {
	const struct personality *personality;
	char **command; /* argv of the command, with room for one more; borrowed from main's */
	struct forward_rules rules;
	struct hold hold;
	uint64_t grace_ns;
	uint64_t limit_ns;  /* how long the command may run; 0: as long as it likes */
	uint8_t exits[256]; /* our exit status for each that the command may have */
	unsigned int rank;
	enum plan_talk talk;
	int parent_death; /* the signal we get when our parent dies, or 0 */
	bool subreaper;	  /* where we are not PID 1 */
	bool own_session; /* the command leads a session, which takes the terminal along */
	bool stops_too;	  /* whatever signal stops the command from a terminal stops us */
	bool warn_on_reap;
	bool has_witness; /* senders may tell everybody below us too */

	/* Only with a job directory, else NULL. */
	char *dir;
	char *status_path;
	char *endpoint_path;
	char *tunnel_path; /* NULL: there is no tunnel */
	char *tunnel_log;
	char *tunnel_argv[PLAN_TUNNEL_ARGS + 1];

	/* Members of tunnel_argv; the command's process id is filled in when it is known. */
	char rank_arg[PLAN_NUMBER_SIZE], pid_arg[PLAN_NUMBER_SIZE], ranks_arg[PLAN_NUMBER_SIZE];
};

void plan_finish(struct plan *plan);
DEFINE_CLEANUP_VALUE(struct plan, plan_finish)

enum plan_result {
	PLAN_RUN,
	PLAN_BECOME, /* the command takes our place: execute it, and do nothing else */
	PLAN_DONE,   /* --help, --version, --install: all is said and done */
	PLAN_REFUSED /* a wrong command line, and that is said: exit with PLAN_REFUSED_STATUS */
};

#define PLAN_REFUSED_STATUS 1

struct personality {
	const char *const *names; /* the programs that it stands for, NULL-terminated */
	const char *name;	  /* in messages */
	struct command_failure failure;
	int (*make)(int argc, char **argv, struct plan *plan, struct err *err);
};

extern const struct personality personality_berth, personality_tini, personality_dumb_init;

/*
 * Fills an all-zero plan from the command line and the environment. Returns a plan_result, or -1;
 * whatever it returns, the plan has to be finished.
 */
int plan_make(int argc, char **argv, struct plan *plan, struct err *err) attr_must_use;

/*
 * For personalities. "CODE" or "CODE:TO", both 0 to 255: the command's exit status CODE becomes TO,
 * or 0.
 */
bool plan_parse_remap(const char *text, struct plan *plan) attr_must_use;
