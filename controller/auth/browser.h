/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Opens a page in the user's browser: the commands of BROWSER (separated by colons, with %s where
 * the address goes, or at the end), else xdg-open. It is started aside, in a session of its own,
 * and what becomes of it is not known: the address has to be shown to the user, too.
 */

#include <stdbool.h>

#include "init/base/err.h"

/* Whether there is a desktop, or a browser that was named. */
bool browser_is_here(void);

/* The address has no spaces or control characters. */
int browser_open(const char *url, struct err *err) attr_must_use;
