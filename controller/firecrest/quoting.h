/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Paths with single quotes. Servers of today put a path between single quotes for a shell, as it
 * is, so that a quote in it has to be written as the shell wants it; one that quotes properly needs
 * nothing. Which of them it is follows from what it says of a path that is a directory to the
 * first, and to the other a file in there that nobody has.
 */

#include <stdbool.h>

#include "controller/firecrest/client.h"

enum quoting { QUOTING_UNKNOWN, QUOTING_PLAIN, QUOTING_PROPER };

/* One question, or three where the server knows no path outside its file systems. */
int quoting_ask(struct firecrest *fc, enum quoting *ret, struct err *err) attr_must_use;

/*
 * Whether a path survives being written into the script of a server's job, which files that are too
 * large to go directly are carried by: some of these characters are written for HTML there, others
 * are for its shell, and what a job sends from stands between no quotes at all. "where" is the path
 * of the call; of others than those for jobs it is true.
 */
bool quoting_is_for_jobs(const char *where, const char *path);

/* The path as such a server has to be told it; NULL: as it is. free() it. */
char *quoting_write(enum quoting quoting, const char *path);
