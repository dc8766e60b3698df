/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A first configuration: what this machine has, and the file that comes of one cluster's settings.
 * Nobody is asked here; `berth init` asks, or takes options (cmd/init.c).
 */

#include "controller/config/config.h"
#include "controller/ops/controller.h"
#include "init/base/buf.h"

/* What could run jobs, or lead to what does. */
struct setup_found {
	bool has_slurm;	  /* its commands are here */
	bool has_sandbox; /* bubblewrap, for local jobs */
	char *engine;	  /* of containers that answers to us: its address; or NULL */
	char *kubeconfig; /* or NULL */
};

void setup_found_finish(struct setup_found *found);
DEFINE_CLEANUP_VALUE(struct setup_found, setup_found_finish)

void ops_setup_look(struct controller *c, struct setup_found *ret);

/* One cluster, which is the context as well; members that are NULL are not set. */
struct setup {
	const char *name;    /* NULL: that of the backend, "hpc" behind a login node */
	const char *backend; /* NULL: slurm with a login node, else what was found */
	const char *login, *home, *url, *account;
};

/* Appends the file, with comments. ERR_INVALID: a value is wrong, and why. */
int ops_setup_render(const struct setup_found *found, const struct setup *setup, struct buf *ret,
		     struct err *err) attr_must_use;

/* ERR_EXISTS: there is a file already. */
int ops_setup_check(const struct controller *c, struct err *err) attr_must_use;

/* Writes it as the user's own file, which must not be there yet. */
int ops_setup_write(const struct controller *c, struct span text, struct err *err) attr_must_use;
