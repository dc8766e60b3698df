/* SPDX-License-Identifier: MIT */
/* An argument vector that grows; see argv.h. */
#include "argv.h"

#include <stdarg.h>
#include <stdio.h>

static void take(struct argv *argv, char *word)
{
	argv->items = alloc_grow(argv->items, argv->len + 2, sizeof(*argv->items));
	argv->items[argv->len++] = word;
	argv->items[argv->len] = NULL;
}

void argv_add(struct argv *argv, const char *word)
{
	take(argv, str_dup(word));
}

void argv_addf(struct argv *argv, const char *fmt, ...)
{
	char *word = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&word, fmt, args) < 0)
		abort(); /* out of memory, as in alloc.c */
	va_end(args);
	take(argv, word);
}

void argv_add_all(struct argv *argv, const char *const *words)
{
	while (*words)
		argv_add(argv, *words++);
}

void argv_add_words(struct argv *argv, const char *first, ...)
{
	va_list args;

	va_start(args, first);
	for (const char *word = first; word; word = va_arg(args, const char *))
		argv_add(argv, word);
	va_end(args);
}

void argv_finish(struct argv *argv)
{
	for (size_t i = 0; i < argv->len; i++)
		free(argv->items[i]);
	free(argv->items);
	*argv = (struct argv){ 0 };
}
