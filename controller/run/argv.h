/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * An argument vector that grows: words are copied in, and items is NULL-terminated whenever there
 * is at least one.
 */

#include "init/base/alloc.h"
#include "init/base/cleanup.h"

struct argv {
	char **items;
	size_t len;
};

void argv_add(struct argv *argv, const char *word);
void argv_addf(struct argv *argv, const char *fmt, ...) attr_printf(2, 3);
void argv_add_all(struct argv *argv, const char *const *words); /* NULL-terminated */
void argv_finish(struct argv *argv);
DEFINE_CLEANUP_VALUE(struct argv, argv_finish)

/* argv_add_words(&a, "--bind", from, to, NULL) */
void argv_add_words(struct argv *argv, const char *first, ...) __attribute__((sentinel));

static inline const char *const *argv_words(const struct argv *argv)
{
	return (const char *const *)argv->items;
}
