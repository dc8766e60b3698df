/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Running things on a login node, through the user's own ssh: their configuration, keys and agent,
 * with one connection that is shared by all berth processes and stays for ten minutes after the
 * last of them (ControlMaster, ssh_config(5)).
 *
 * What runs is a script for /bin/sh, which reads it from standard input: whatever the user's login
 * shell is, no word passes through it, nothing secret is in an argument, and no length is too much.
 * The script is one function that is called at its end, so that a connection that breaks in between
 * does nothing. What the other side's start-up files print is told from what the script prints by a
 * line that comes first.
 *
 * Words get into scripts by remote_quote().
 */

#include "controller/run/argv.h"
#include "controller/run/child.h"
#include "init/base/buf.h"

#define REMOTE_SCRIPT_MAX (16 * 1024 * 1024)

struct remote {
	const char *login;	    /* destination of ssh */
	const char *const *options; /* as of `ssh -o`, NULL-terminated; they win over ours */
	const char *control;	    /* path of the shared connection's socket; NULL: not shared */
	bool may_ask;		    /* ssh may ask the user for a password */
};

/*
 * The socket for this login node in the first of these directories where its name is short enough
 * for one (unix(7)); NULL when none is. free() it.
 */
char *remote_control_path(const char *login, const char *const *options,
			  const char *const *directories) attr_must_use;

/* Appends a word so that the script reads it back unchanged. False: too long. */
bool remote_quote(struct buf *script, const char *word) attr_must_use;

/*
 * Runs the script; ret has what it printed and its exit status. ERR_UNAVAILABLE, ERR_DENIED: the
 * login node cannot be reached or does not let us in. One round trip where a connection is there.
 */
int remote_run(const struct remote *remote, struct span script, unsigned int timeout_ms,
	       struct child *ret, struct err *err) attr_must_use;

/*
 * Writes bytes into a file with mode 0600 in a directory that is there; no newline in the path.
 * progress may be NULL.
 */
int remote_upload(const struct remote *remote, const char *path, struct span bytes,
		  unsigned int timeout_ms, const struct child_progress *progress, struct err *err)
	attr_must_use;

/* The line after which what remote_sftp() starts speaks SFTP. */
#define REMOTE_SFTP_MARK "berth-begins-here"

/*
 * The command that leads to an SFTP server there: this `berth-tunnel`, where it can be run (or
 * NULL), else that of OpenSSH. No login shell has a part in it, but what its start-up files print
 * comes before the mark.
 */
void remote_sftp(const struct remote *remote, const char *tunnel, struct argv *ret);
