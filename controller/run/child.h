/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Runs another program to its end and keeps what it said: by posix_spawn(3) with an argument array,
 * never through a shell; with a deadline and with limits, so that neither a program that hangs nor
 * one that talks too much can hold berth up. Its standard input is empty unless it is given some.
 *
 *	const char *argv[] = { "squeue", "--noheader", NULL };
 *	cleanup(child_finish) struct child child = { 0 };
 *
 *	if (child_run(&(struct child_plan){ .argv = argv, .timeout_ms = 30000 }, &child, err) < 0)
 *		return -1;	(it could not be run, or did not end in time)
 *	if (child.status != 0)
 *		...		(it said no: child.errors)
 */

#include <stdbool.h>

#include "init/base/buf.h"
#include "init/base/err.h"

#define CHILD_OUTPUT_MAX (64 * 1024 * 1024)
#define CHILD_ERRORS_MAX (64 * 1024)

/* Who is told how much of the input was taken, whenever that has changed. */
struct child_progress {
	void (*tell)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

struct child_plan {
	const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
	const char *const *env; /* assignments added to our environment, NULL-terminated; or NULL */
	const char *dir;	/* working directory, or NULL for ours */
	struct span input;	/* what it reads from standard input; borrowed */
	unsigned int timeout_ms;	       /* 0: none */
	const struct child_progress *progress; /* or NULL */
	bool talks;			       /* for child_talk() instead of child_end() */
	bool waits; /* standard input is a pipe, for child_give() before child_end() */
};

struct child {
	struct buf output; /* what it wrote to standard output */
	struct buf errors; /* the first CHILD_ERRORS_MAX bytes of its standard error */
	int status;	   /* exit status, or 128 + signal */
};

/* Nothing of what it said stays in memory: it may have been a secret. */
void child_finish(struct child *child);
DEFINE_CLEANUP_VALUE(struct child, child_finish)

/* ERR_NOT_FOUND: no such program. ERR_TIMEOUT: it was killed at the deadline. */
int child_run(const struct child_plan *plan, struct child *ret, struct err *err) attr_must_use;

/*
 * The same in two halves, for what is done meanwhile. What the plan points to must last until the
 * end, which comes once; running_stop() frees it, and kills one that has not come to it.
 */
struct running;
int child_start(const struct child_plan *plan, struct running **ret, struct err *err) attr_must_use;
int child_end(struct running *running, struct child *ret, struct err *err) attr_must_use;

/*
 * Reads along: whenever more of standard output has arrived, take() gets all that it has not taken
 * yet and returns how much of it it takes now, from the front. The rest is left in ret->output.
 */
struct child_reader {
	size_t (*take)(void *owner, struct span so_far);
	void *owner;
};
int child_follow(struct running *running, const struct child_reader *reader, struct child *ret,
		 struct err *err) attr_must_use;
struct running *running_stop(struct running *running);
DEFINE_CLEANUP(struct running, running_stop)

/*
 * Waits until it has printed a line: 1, and what it has printed so far is at *ret, newline and all;
 * it may be ending still. 0: it came to its end before. What went wrong is told by child_end().
 */
int child_await_line(struct running *running, struct span *ret) attr_must_use;

/*
 * Gives one that was started with `waits` its whole input: all of it or, when we are killed before,
 * nothing, which a pipe promises of so many bytes (pipe(7)). Nobody may be reading any more.
 */
#define CHILD_PIECE_MAX 4096
void child_give(struct running *running, struct span input);

/*
 * Starts one that nobody waits for and that may outlive us: in a session of its own, with nothing
 * to read and nobody to tell. Only argv, env and dir of the plan count.
 */
int child_detach(const struct child_plan *plan, struct err *err) attr_must_use;

/*
 * A turn of a conversation with one that was started with `talks`: gives it what it takes of *out,
 * appends what it printed to *in and what it complained of to *errors (beyond that one's maximum it
 * is dropped), after waiting until there is something of that. 1: done; 0: it says no more. Without
 * a time limit.
 */
int child_talk(struct running *running, struct buf *out, struct buf *in, struct buf *errors,
	       struct err *err) attr_must_use;

/* The first line of its standard error that says something, without control characters, or "". */
void child_complaint(struct child *child, char *out, size_t size);
