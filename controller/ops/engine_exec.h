/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A program in a job whose tunnel cannot be had, by what runs the job: a container engine or an API
 * server of containers starts programs by itself.
 */

#include "controller/ops/controller.h"
#include "init/base/opt.h"

struct engine_exec {
	const struct ref *ref;
	const char *const *argv;    /* NULL-terminated */
	const struct opt_list *env; /* NAME=VALUE, or NAME: as it is here */
	const char *workdir;	    /* or NULL: the container's */
	bool input, terminal;
	void (*say)(const char *line); /* once, when there is a way: what is done and why */
};

/*
 * Runs it with our standard input, output and error; *ret_status is what it ended with. why: what
 * is wrong with the tunnel; it is the error again where there is no such way, or where the job does
 * not run.
 */
int ops_engine_exec(struct controller *c, const struct engine_exec *exec, const struct err *why,
		    int *ret_status, struct err *err) attr_must_use;
