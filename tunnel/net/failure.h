/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What to tell a user when no address of a job answered. Several attempts fail in several ways;
 * silence says more than "nobody there", which another host may say, and a key that does not fit
 * says most.
 */

#include <stdbool.h>

#include "init/base/err.h"
#include "tunnel/net/addr.h"

/* *worst is all zero at first. True: nobody listened there, so that it is worth another try. */
bool failure_note(struct err *worst, const struct err *why);

/* In words, with what to look at. */
void failure_tell(const struct err *worst, const struct addr_list *addresses, struct err *ret);
