/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Paths with single quotes. Servers of today put a path between single quotes for a shell, as it
 * is, so that a quote in it has to be written as the shell wants it; one that quotes properly needs
 * nothing. Which of them it is follows from what it says of a path that is "/" to the first, and to
 * the other a file that nobody has.
 */

enum quoting { QUOTING_UNKNOWN, QUOTING_PLAIN, QUOTING_PROPER };

#define QUOTING_PROBE "/''"

/* By the status of the answer about that path; QUOTING_UNKNOWN: it tells neither. */
enum quoting quoting_learn(int status);

/* The path as such a server has to be told it; NULL: as it is. free() it. */
char *quoting_write(enum quoting quoting, const char *path);
