/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The terminal that we were started on, for a program on a terminal in the job: here it is raw, so
 * that every key gets there (Ctrl-C, too), and the terminal there does what a terminal does.
 *
 * Whatever happens, the user gets the terminal back as it was: at the end, at exit(3), and when the
 * program dies of a bug. (After kill -9, `stty sane` helps.)
 */

#include <stdbool.h>

#include "init/base/err.h"
#include "tunnel/wire/process.h"

/* Makes the terminal raw; also again, after the program was stopped and continued. */
int tty_make_raw(int fd, struct err *err) attr_must_use;
/* Gives it back; nothing happens if it is not raw. */
void tty_restore(void);

/* The size of the first of standard input, output and error that is a terminal; false: none is. */
bool tty_window(struct process_window *ret);

/*
 * How a user leaves when nothing answers: the keys "~." at the beginning of a line, as in ssh(1).
 * "~~" there is one "~"; everything else is what it is.
 */
struct tty_escape {
	bool in_line, after_tilde; /* all-zero: at the beginning of a line */
};

/*
 * The keys that go to the job. out holds 2 * in.len bytes at most; *ret_leave says that the user
 * wants to leave, and then what followed is dropped.
 */
size_t tty_escape_filter(struct tty_escape *escape, struct span in, uint8_t *out, bool *ret_leave);
