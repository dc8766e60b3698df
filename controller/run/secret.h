/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Programs of the user's that print a secret: a token, the secret of a client. Each has a minute,
 * for those that ask somebody. What one says is in no message; what it complains of is.
 */

#include "init/base/buf.h"
#include "init/base/err.h"

/*
 * Appends what it prints to *ret, which the caller wipes. what: the setting that names it, for
 * messages. ERR_UNAVAILABLE: it failed. ERR_LIMIT: it printed more than *ret holds.
 */
int secret_print(const char *what, const char *const *argv, struct buf *ret, struct err *err)
	attr_must_use;
