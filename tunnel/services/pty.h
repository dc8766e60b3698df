/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Pseudo-terminals (pty(7)), without grantpt(3) and without chown(2): in a container whose only
 * group is ours the terminal's group cannot be set, and it need not be.
 */

#include <stdbool.h>

#include "init/base/err.h"
#include "tunnel/wire/process.h"

struct pty {
	int master, slave;
	char name[32]; /* "/dev/pts/4" */
};

/* Both ends, with the window size and terminal modes of the request. */
int pty_open(const struct process_window *window, struct span modes, struct pty *ret,
	     struct err *err) attr_must_use;

/* Makes the terminal's foreground processes see SIGWINCH when the size differs. */
void pty_set_window(int master, const struct process_window *window);

/*
 * What a user would type to end the input: VEOF, twice when a line was begun (the first only hands
 * that line over). Returns how many bytes of out are to be written, 0 to 2.
 */
size_t pty_end_of_input(int master, uint8_t last_byte, uint8_t out[2]);
