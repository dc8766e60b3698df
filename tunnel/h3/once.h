/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Requests that shall act once, however often they arrive. A client cannot always tell whether an
 * early request of its was heard, and whoever records its first packets can send them again; so it
 * names each early request with 128 random bits (the idempotency-key field, in the form of a string
 * of RFC 8941), and the server remembers the names.
 *
 *	if (!h3_once_claim(once, &name))
 *		...it was here before
 *
 * Only clients that were let in before get as far as this, and a client gives up repeating within
 * seconds. So that the last H3_ONCE_MAX names are enough, and memory stays below 16 KiB.
 *
 * The names are the process's: one that is killed while it answers an early request takes them with
 * it, and whoever is started in its place at once does what it is asked again.
 */

#include <stdbool.h>

#include "init/base/macro.h"
#include "init/base/span.h"

#define H3_ONCE_LEN 16
#define H3_ONCE_MAX 1024
#define H3_ONCE_TEXT_MAX (2 * H3_ONCE_LEN + 3) /* 32 digits, two quotes, and the end */

struct h3_once_name {
	uint8_t bytes[H3_ONCE_LEN];
};

struct h3_once {
	struct h3_once_name *names;
	size_t count, next;
};

void h3_once_finish(struct h3_once *once);

/* A new name, as the field's value. */
void h3_once_make(char ret[H3_ONCE_TEXT_MAX]);
/* False for anything that h3_once_make() does not make. */
bool h3_once_parse(struct span value, struct h3_once_name *ret) attr_must_use;
/* True the first time. */
bool h3_once_claim(struct h3_once *once, const struct h3_once_name *name) attr_must_use;
