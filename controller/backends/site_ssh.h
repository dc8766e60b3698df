/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A site behind a login node: each call that has to know something is one script there (remote.h);
 * what only changes something waits for the next.
 */

#include "controller/backends/site.h"
#include "controller/run/argv.h"

struct site_ssh_plan {
	const char *login;
	const char *const *options;	/* as of `ssh -o`; NULL-terminated */
	const char *const *directories; /* for the shared connection's socket; NULL-terminated */
	bool may_ask;			/* ssh may ask for a password */
};

/* Opens nothing yet. */
struct site *site_ssh_new(const struct site_ssh_plan *plan);

/*
 * Runs a script of its caller's at such a site, after what was put off; its exit status 0 is
 * success, all else an error of its last words. *ret gets what it printed.
 */
int site_ssh_script(struct site *site, struct span script, struct buf *ret, struct err *err)
	attr_must_use;
/* The same for what takes longer than a minute. */
int site_ssh_script_within(struct site *site, struct span script, unsigned int timeout_ms,
			   struct buf *ret, struct err *err) attr_must_use;

/*
 * The program here that speaks SFTP with this login node after the line REMOTE_SFTP_MARK:
 * berth-tunnel's server there, where it is installed (tunnel: its path; or NULL), else OpenSSH's.
 */
void site_ssh_sftp(struct site *site, const char *tunnel, struct argv *ret);

/* Writes a new file at once (0600), of any size and content; its directory is there. */
int site_ssh_upload(struct site *site, const char *path, struct span bytes,
		    const struct child_progress *progress, struct err *err) attr_must_use;
