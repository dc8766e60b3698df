/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Errors carry words, gain context on the way up, and are reported once, at the top.
 *
 * A function that can fail in more than one way returns int, 0 for done and -1 for failed, and
 * takes `struct err *err` last; it may be NULL when the caller does not care. The err_set functions
 * return -1, so that the place where a cause is known reads
 *
 *	if (fd < 0)
 *		return err_set_errno(err, errno, "open %s", path);
 *	if (fd_read_all(fd, max, ret, err) < 0)
 *		return err_wrap(err, "read %s", path);
 *
 * The text is inside the struct: making an error never allocates. Messages are lower case, without
 * a full stop, outermost context first, and say what to do. The kind is chosen where the cause is
 * known and decides exit status and HTTP status, from one table.
 */

#include <stdbool.h>

#include "macro.h"

/*      name         word           exit http */
#define ERR_KINDS(X)                           \
	X(NONE, "none", 0, 200)                \
	X(INVALID, "invalid", 64, 400)         \
	X(NOT_FOUND, "not found", 66, 404)     \
	X(EXISTS, "exists", 73, 409)           \
	X(DENIED, "denied", 77, 403)           \
	X(LIMIT, "limit", 69, 429)             \
	X(UNSUPPORTED, "unsupported", 69, 501) \
	X(UNAVAILABLE, "unavailable", 69, 503) \
	X(TIMEOUT, "timeout", 75, 504)         \
	X(PROTOCOL, "protocol", 76, 502)       \
	X(SYSTEM, "system", 71, 500)           \
	X(INTERNAL, "internal", 70, 500)

enum err_kind {
#define X(name, word, exit_status, http_status) ERR_##name,
	ERR_KINDS(X)
#undef X
};

#define ERR_TEXT_MAX 512

struct err {
	enum err_kind kind;
	int os; /* errno, or 0 */
	char text[ERR_TEXT_MAX];
};

/* Each sets *err (when not NULL) and returns -1. */
int err_set(struct err *err, enum err_kind kind, const char *fmt, ...) attr_printf(3, 4);

/* The kind follows from the errno value; ": " and strerror(os) are appended. */
int err_set_errno(struct err *err, int os, const char *fmt, ...) attr_printf(3, 4);

/* Puts context before the text ("context: text"), keeps the kind. */
int err_wrap(struct err *err, const char *fmt, ...) attr_printf(2, 3);

enum err_kind err_kind_from_errno(int os);
/* What a status stands for; ERR_UNAVAILABLE for one that is not in the table. */
enum err_kind err_kind_from_http(int status);
const char *err_kind_word(enum err_kind kind);
int err_exit_status(const struct err *err);
int err_http_status(const struct err *err);
