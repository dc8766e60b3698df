/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * From a START capsule to a running process with our ends of its pipes, or of its terminal.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "init/base/err.h"
#include "tunnel/services/service.h"
#include "tunnel/wire/process.h"

struct launched {
	pid_t pid; /* also its process group and session */
	bool has_pty;
	/* Ours to close. With a terminal, in is its master and the others are -1. */
	int in, out, err;
};

/*
 * ERR_UNSUPPORTED: a subsystem that is not offered; ERR_INVALID: a command or variable that no
 * process can be given; ERR_NOT_FOUND: there is no shell.
 */
int launch(const struct service_env *env, const struct process_start *start, struct launched *ret,
	   struct err *err) attr_must_use;
