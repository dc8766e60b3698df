/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The indices of an array of jobs, as Slurm writes them: "0-9:2,15%4" is 0 2 4 6 8 and 15, of which
 * four run at a time. The text is never expanded: it is read again for each question, so that a
 * scheduler's few bytes that stand for a million tasks cost nothing.
 *
 *	for (uint64_t i = 0; indices_next(text, i, &i); i++)
 *		...
 */

#include <stdbool.h>
#include <stdint.h>

#define INDICES_MAX 1000000 /* the highest index, as REF_RANK_MAX */
#define INDICES_TEXT_MAX 65535

/* Whether it is written like that, each range begins before it ends, and no index is too high. */
bool indices_are_valid(const char *text);

/*
 * The lowest index that is not below `from`; false when there is none. These two ignore what does
 * not begin with digits, and all that follows it.
 */
bool indices_next(const char *text, uint64_t from, uint64_t *ret);
bool indices_have(const char *text, uint64_t index);

/* The one that n lower ones come before; false when there are not so many. */
bool indices_nth(const char *text, uint64_t n, uint64_t *ret);

/* The other way round: how many lower ones there are; false when it is none of them. */
bool indices_count_before(const char *text, uint64_t index, uint64_t *ret);

/* How many there are, each counted once. */
uint64_t indices_count(const char *text);

/* The highest; 0 when there is none. */
uint64_t indices_last(const char *text);
