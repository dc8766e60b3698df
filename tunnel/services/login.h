/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Which shell runs a command, and with which environment. The job's environment decides, not the
 * account: in a container the uid may have no passwd entry, and its home may not exist.
 */

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "init/base/cleanup.h"
#include "init/base/err.h"
#include "tunnel/wire/process.h"

/* Where a shell may be named; the files are those of this machine unless a test says otherwise. */
struct login_sources {
	char *const *environment;
	const char *wanted;	      /* by a setting; or NULL */
	const char *passwd;	      /* "/etc/passwd" */
	const char *const *fallbacks; /* "/bin/bash", "/bin/sh", NULL */
	const char *tools;	      /* the bundle's programs, see struct login_session; or NULL */
	uid_t uid;
};

void login_sources_init(struct login_sources *sources, char *const *environment);

/*
 * The first that can be executed: the one that was asked for, SHELL of the environment, the shell
 * of the uid's passwd entry, the fallbacks, sh of the bundle. Shells that only refuse (nologin,
 * false) are passed over. ERR_NOT_FOUND if there is none.
 */
int login_shell(const struct login_sources *sources, char ret[PATH_MAX], struct err *err)
	attr_must_use;

/* Who this uid is, as far as its passwd entry says so: members may be NULL. */
struct login_account {
	char *name;
	char *home; /* a directory that is there */
};

void login_account(const struct login_sources *sources, struct login_account *ret);
void login_account_finish(struct login_account *account);
DEFINE_CLEANUP_VALUE(struct login_account, login_account_finish)

/* The value of a variable, or NULL. */
const char *login_getenv(char *const *environment, struct span name);

/* What a session has beside the environment of the job. Members may be NULL. */
struct login_session {
	/* Where the job's environment does not say: HOME, USER and LOGNAME. */
	const char *home, *user;
	const char *shell; /* SHELL */
	const char *tty;   /* SSH_TTY, with a terminal */
	/* Where programs are that an image may lack: the last directory of PATH. */
	const char *tools;
	/* VSCODE_AGENT_FOLDER, unless the job has it */
	const char *vscode_folder;
};

/*
 * The environment of a process: the job's, then ours (the above; SSH_CONNECTION unless an argument
 * list was asked for; with a terminal TERM and SSH_TTY), then what the client asked for; later
 * ones replace earlier ones of the same name. What the job's environment says of another
 * connection, the one that it was submitted over, is dropped. Free it with
 * login_environment_free(). ERR_INVALID for a name that is empty or has '=' or NUL in it, and for a
 * value with NUL.
 */
char **login_environment(char *const *job, const struct login_session *session,
			 const struct process_start *start, struct err *err) attr_must_use;
char **login_environment_free(char **environment);
