/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Programs with verbs: `berth run`, `berth-tunnel serve`. A verb is one struct in a file of its
 * own; the program has a NULL-terminated table of pointers to them. Dispatch, usage lines, --help,
 * --version and "did you mean" come from the table.
 */

#include "opt.h"

struct verb {
	const char *name;     /* "run", "get" */
	const char *operands; /* "[NAME] [--] COMMAND [ARG...]" */
	const char *summary;  /* one line, lower case, no full stop */
	const char *details;  /* shown by --help after the options, or NULL */
	const struct opt *opts;
	enum opt_mode mode;
	size_t args_size;		/* size of the struct that opts fill, zeroed before */
	int operands_min, operands_max; /* max -1: any number */
	bool hidden;

	/*
	 * Runs the verb. argv holds the operands. Returns the exit status, or -1 with *err set; the
	 * dispatcher reports the error and turns its kind into an exit status.
	 */
	int (*run)(void *args, int argc, char **argv, struct err *err);
};

struct program {
	const char *name;
	const char *summary;
	const char *version;
	const struct verb *const *verbs; /* NULL-terminated */

	/* Options that every verb takes beside its own, and the struct that they fill; or NULL. */
	const struct opt *opts;
	void *args;
};

/* Runs a program: returns the exit status for main(). Errors go to standard error as "NAME: text".
 */
int verb_main(const struct program *program, int argc, char **argv);
