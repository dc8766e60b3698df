/* SPDX-License-Identifier: MIT */
#pragma once

/* Signals by name, as SSH and our capsules have them: "TERM", without "SIG". */

#include "init/base/span.h"
#include "tunnel/wire/process.h"

/* Its number, or 0 if this system has none of that name (real-time signals have no names). */
int signals_parse(struct span name);

#define SIGNALS_NAME_MAX 16

/* How a process ended, from a status of waitpid(2). ret->signal points into name, or is static. */
void signals_exit(int status, char name[SIGNALS_NAME_MAX], struct process_exit *ret);
