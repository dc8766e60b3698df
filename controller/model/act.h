/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What can be done to jobs that have not ended, beside ending them: one list for the command line,
 * the operations and the backends.
 *
 *	struct act act = { .kind = ACT_UPDATE, .change = { .time_ns = 3600 * NSEC_PER_SEC } };
 *
 *	if (act_check(&act, err) < 0 || ops_act(c, &act, &jobs, err) < 0)
 *		return -1;
 *
 * Words of a change go to the scheduler as they are: act_check() lets only those through that can
 * be nothing else there.
 */

#include <stdbool.h>

#include "init/base/err.h"

/*      name     what is done, as in "cannot ... job-7" */
#define ACT_KINDS(X)          \
	X(SIGNAL, "signal")   \
	X(HOLD, "hold")       \
	X(RELEASE, "release") \
	X(REQUEUE, "requeue") \
	X(UPDATE, "update")

enum act_kind {
#define X(name, word) ACT_##name,
	ACT_KINDS(X)
#undef X
};

enum {
	ACT_KINDS_LEN = 0
#define X(name, word) +1
	ACT_KINDS(X)
#undef X
};

/* Zero and NULL leave a thing as it is. Strings are borrowed. */
struct change {
	uint64_t time_ns;  /* limit, counted from the start of the job */
	const char *begin; /* "now", a duration from now, or 2026-11-21T08:00[:00] */
	const char *partition;
	const char *account;
	const char *qos;
	const char *priority; /* a number above 0; higher is sooner */
	const char *nice;     /* a number; higher is later */
};

struct act {
	enum act_kind kind;
	int signal;	      /* of ACT_SIGNAL */
	struct change change; /* of ACT_UPDATE */
	const char *word;     /* what the user calls it, where that is not the kind's word */
};

const char *act_word(enum act_kind kind);

/* ERR_INVALID for a signal that does not reach a command, or a change of nothing or to no value. */
int act_check(const struct act *act, struct err *err) attr_must_use;
