/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The user's terminal while a program elsewhere has it: every key goes there as it is, also Ctrl-C,
 * and what happens to the terminal is told through a descriptor that can be polled.
 *
 *	cleanup(terminal_close) struct terminal *terminal = NULL;
 *
 *	if (terminal_open(STDIN_FILENO, &terminal, err) < 0)	(NULL where there is no terminal)
 *		return -1;
 *	... poll(terminal_fd(terminal)) ...
 *	if (terminal_news(terminal) == TERMINAL_RESIZED && terminal_size(terminal, &rows, &columns))
 *		...
 */

#include <stdbool.h>

#include "init/base/cleanup.h"
#include "init/base/err.h"

enum terminal_event {
	TERMINAL_NOTHING,
	TERMINAL_RESIZED,
	TERMINAL_ENDED, /* SIGHUP or SIGTERM: whoever has it is to go */
};

struct terminal;

/*
 * Makes it raw, and blocks the signals that are told instead. *ret stays NULL, which is success,
 * where fd is no terminal.
 */
int terminal_open(int fd, struct terminal **ret, struct err *err) attr_must_use;

/* As it was before; takes NULL. */
struct terminal *terminal_close(struct terminal *terminal);
DEFINE_CLEANUP(struct terminal, terminal_close)

/* Readable when there is news; -1 for NULL, which poll(2) leaves alone. */
int terminal_fd(const struct terminal *terminal);
enum terminal_event terminal_news(struct terminal *terminal);

/* False: it has no size. */
bool terminal_size(const struct terminal *terminal, unsigned int *ret_rows,
		   unsigned int *ret_columns);
