/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What sessions in this job have in common, found out once when the server starts: what was asked
 * for (session.json), where the bundle's programs are, and where the job may have a directory of
 * its own.
 */

#include "init/base/err.h"
#include "tunnel/net/session_file.h"
#include "tunnel/services/scratch.h"
#include "tunnel/services/service.h"

struct sessions {
	struct session_file file;
	char *tools; /* NULL: this bundle has none */
	struct scratch scratch;
	const char *places[4];
};

/*
 * Never fails: what cannot be had is done without, and logged. dir, the job directory, and the
 * environment are borrowed.
 */
void sessions_open(struct sessions *sessions, const char *dir, unsigned int rank,
		   char *const *environment);

/* Into the configuration of the services, which borrows it. */
void sessions_configure(struct sessions *sessions, struct service_config *config);

/* Removes the job's directory on this node; it blocks, for the end of the program. */
void sessions_close(struct sessions *sessions);
