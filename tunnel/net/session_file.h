/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * session.json in the job directory: what sessions in a job are to look like, as it was asked for
 * when the job was submitted. It holds no secret, and a job may do without: every member has a
 * default, and so has the whole file.
 */

#include <stdbool.h>

#include "init/base/cleanup.h"
#include "init/base/err.h"
#include "init/base/span.h"

#define SESSION_FILE_UID_MAX 64
#define SESSION_FILE_TIME_MAX_S (100 * UINT64_C(365) * 86400)

struct session_file {
	char *uid;	       /* of the submission, plain letters and digits; or NULL */
	char *job;	       /* what the user calls it: "job-7"; NULL: not known */
	char *name;	       /* or NULL */
	char *shell;	       /* absolute path of the shell to use where there is one; or NULL */
	uint64_t time_limit_s; /* that was asked for; 0: none */
	uint64_t port;	       /* to listen on, if it is free; 0: any */
	bool plain_shell;      /* not as a login shell, which would read the profiles */
	bool no_motd;
	bool no_vscode_folder;
};

void session_file_finish(struct session_file *file);
DEFINE_CLEANUP_VALUE(struct session_file, session_file_finish)

int session_file_parse(struct span text, struct session_file *ret, struct err *err) attr_must_use;

/* A file that is not there is all defaults. */
int session_file_read(const char *path, struct session_file *ret, struct err *err) attr_must_use;
