/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The keys of workstations while a job runs, in its directory: no old key is needed for any of
 * this, but the right to write there. Up to eight workstations are let in, each by a key of its
 * own, and known by its host name.
 *
 * A key replaces another one only when it was seen to get into the job; whenever this is
 * interrupted, there is a key that works, and doing it again mends the rest. No connection with a
 * dropped key is accepted afterwards; those that there are end, of one rank at once, of the others
 * within seconds.
 *
 * Workstations that change keys at the same moment do not overwrite each other: the job's file is
 * written only if it is as it was read (site_replace()), else the change is made again.
 */

#include "controller/ops/controller.h"
#include "init/base/buf.h"

/* What is read of a job directory elsewhere, as of site_prefetch(). */
#define REKEY_PREFETCH "tunnel.json endpoint. status."

/* Whose key it is; all-zero is this workstation. */
struct rekey_plan {
	const char *client_file; /* where it goes; NULL: this workstation's place for it */
	const char *workstation; /* what it is called in the job; NULL: as this host */
	/* Of a workstation that has no key yet: the login node, as ssh is told it, or NULL. */
	const char *login;
	bool is_prefetched; /* REKEY_PREFETCH of the job directory, a moment ago */
};

/*
 * Another key, or the first one. plan: NULL is this workstation. ERR_LIMIT: too many of them. 1: it
 * is there, but a first key was not seen to get in, and *err says why; no ways may lead there now.
 */
int ops_rotate_key(struct controller *c, const struct job *job, const struct rekey_plan *plan,
		   struct err *err) attr_must_use;

/* Lets a workstation in no more (ERR_NOT_FOUND names those there are), or with NULL nobody. */
int ops_revoke_keys(struct controller *c, const struct job *job, const char *workstation,
		    struct err *err) attr_must_use;

/* Appends a line for each workstation that is let in: its name or "-", and " here" for this one. */
int ops_list_keys(struct controller *c, const struct job *job, struct buf *ret, struct err *err)
	attr_must_use;
