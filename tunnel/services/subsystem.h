/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Subsystems (RFC 4254 section 6.5): each is a verb of this program, which is started again as any
 * other process of a session, so that it needs nothing of the image, has the job's environment,
 * directory and limits, and blocks only itself. The table is in subsystem.c.
 */

#include "init/base/err.h"
#include "init/base/span.h"

/*
 * The verb's name, in memory that execve(2) may be given; ERR_UNSUPPORTED: there is no such
 * subsystem.
 */
char *subsystem_verb(struct span name, struct err *err) attr_must_use;

/*
 * This very program: the link of /proc, which works even when the file was replaced since; the path
 * that it was started by where there is no /proc.
 */
const char *subsystem_program(void);
