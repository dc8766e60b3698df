/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What can be done to jobs through FirecREST: ending them, a call for each, all at the same time;
 * and signals, for which there is no call: a step that sends them is attached to the job.
 */

#include "controller/backends/backend.h"
#include "controller/firecrest/client.h"
#include "controller/run/argv.h"

/* Runs a command as one task of a running job; what it prints is nobody's. */
int firecrest_attach(struct firecrest *fc, const char *id, const struct argv *argv, struct err *err)
	attr_must_use;

/* Members of the backend; see backend.h. */
int firecrest_cancel(struct backend *backend, const struct job *const *jobs, size_t len,
		     struct err *err);
int firecrest_act(struct backend *backend, const struct act *act, const struct job *const *jobs,
		  size_t len, struct err *err);
int firecrest_release(struct backend *backend, const struct job *job, struct err *err);
