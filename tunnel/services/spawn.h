/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Starts a program as if nobody stood between: a session of its own, no signal blocked or ignored,
 * no descriptor but 0, 1 and 2, the limits that the job has.
 */

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "init/base/err.h"
#include "tunnel/services/rlimits.h"

struct spawn {
	/* Executed first, to do something and then execute file; where that fails file is. */
	char *const *before;
	const char *file;
	const char *path;      /* where a file without a slash is looked for; NULL: nowhere */
	const char *directory; /* to change to, or NULL */
	char *const *argv;
	char *const *environment;
	int in, out, err;	      /* become 0, 1 and 2; remain the caller's */
	bool is_tty;		      /* in is a terminal and becomes the controlling one */
	const struct rlimits *limits; /* to have, or NULL */
};

/*
 * The process id, or -1. That the file cannot be executed shows only in the child: it says so on
 * its standard error and exits with 126, or 127 if there is no such file.
 */
pid_t spawn_run(const struct spawn *spawn, struct err *err) attr_must_use;
