/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Letting go of what the command was given. While a second process holds a pipe, its reader sees no
 * end and its writer no SIGPIPE; a lock stays locked, a terminal open. So once the command has its
 * copies we close ours, and 0, 1 and 2 lead nowhere.
 */

#include <stddef.h>

/* Closes all but the named ones, which are 3 or above (negative ones are skipped). */
void descriptors_let_go(const int *keep, size_t len);

/* A copy, 3 or above and close-on-exec; -1 when there is nothing to copy. */
int descriptors_copy(int fd);

/*
 * The same, for writing what may as well be lost: a pipe that is full or a terminal that is held
 * (Ctrl-S) does not make the writer wait.
 */
int descriptors_copy_unblocking(int fd);
