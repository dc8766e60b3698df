/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Which shell runs a command, and with which environment. The job's environment decides, not the
 * account: in a container the uid may have no passwd entry, and its home may not exist.
 */

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "init/base/err.h"
#include "tunnel/wire/process.h"

/* Where a shell may be named; the files are those of this machine unless a test says otherwise. */
struct login_sources {
	char *const *environment;
	const char *passwd;	      /* "/etc/passwd" */
	const char *const *fallbacks; /* "/bin/bash", "/bin/sh", NULL */
	uid_t uid;
};

void login_sources_init(struct login_sources *sources, char *const *environment);

/*
 * The first that can be executed: SHELL of the environment, the shell of the uid's passwd entry,
 * the fallbacks. Shells that only refuse (nologin, false) are passed over. ERR_NOT_FOUND if there
 * is none.
 */
int login_shell(const struct login_sources *sources, char ret[PATH_MAX], struct err *err)
	attr_must_use;

/* The value of a variable, or NULL. */
const char *login_getenv(char *const *environment, struct span name);

/*
 * The environment of a process: the job's, then ours (with a terminal TERM; unless it is an argv
 * SSH_CONNECTION, and with a terminal SSH_TTY), then what the client asked for; later ones replace
 * earlier ones of the same name. Free it with login_environment_free(). ERR_INVALID for a name that
 * is empty or has '=' or NUL in it, and for a value with NUL.
 */
char **login_environment(char *const *job, const struct process_start *start, const char *tty,
			 struct err *err) attr_must_use;
char **login_environment_free(char **environment);
