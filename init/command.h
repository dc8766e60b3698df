/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The command: started so that it finds everything as if we were not there. Environment, working
 * directory, descriptors, signal mask, ignored signals, an alarm that is already set: all are as we
 * were given them. What differs is its parent, that it leads a process group of its own, and that
 * it gets SIGTERM should we die before it. Sockets that were passed to us by number are passed on:
 * LISTEN_PID (sd_listen_fds(3)), where it names us, names the command.
 */

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "init/base/err.h"
#include "signals.h"
#include "terminal.h"

/* As shells have it. */
#define COMMAND_NOT_FOUND 127
#define COMMAND_NOT_EXECUTABLE 126

/* How a personality says that a command cannot be executed: "BEFORE name BETWEEN why". */
struct command_failure {
	const char *before, *between;
	int not_found, not_executable; /* exit statuses */
};

struct command {
	/* NULL-terminated, with room for one more: see command_execute(). */
	char **argv;
	struct signals_inherited signals;
	struct terminal terminal;
	const struct command_failure *failure;
	bool own_session; /* leads a session, and takes standard input along as its terminal */
};

/*
 * Forks, and executes the command in the child; one that cannot be executed says so on standard
 * error and exits like in a shell. Returns its process id, or -1 when there is no process to be
 * had.
 */
pid_t command_start(const struct command *command, struct err *err) attr_must_use;

/*
 * Executes argv in this process, searching PATH like execvp(3); returns errno when it cannot. The
 * search has a default where PATH is not set, and nothing is allocated. A script that does not say
 * what runs it is run by /bin/sh, for which argv grows by one in place; it is of no use afterwards.
 */
int command_execute(char **argv);

/* One line on standard error, in a child that could not execute a program. */
void command_report(const struct command_failure *how, const char *name, int os);

/* What a shell would make of how a child ended: its exit status, or 128 + signal. */
int command_exit_status(const siginfo_t *ended);
