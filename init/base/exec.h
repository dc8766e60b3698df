/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a child does between fork(2) and execve(2) wherever it is to start as from a shell: only
 * calls that are safe there (signal-safety(7)), no allocation, no log.
 */

/* Default dispositions and an empty mask: what is ignored or blocked would be inherited. */
void exec_reset_signals(void);
