/* SPDX-License-Identifier: MIT */
/* Indices of arrays; see indices.h. */
#include "indices.h"

#include <stddef.h>
#include <string.h>

#include "init/base/macro.h"

#define DIGITS_MAX 10

struct range {
	uint64_t first, last, step;
};

static bool take_number(const char **p, uint64_t *ret)
{
	size_t digits = strspn(*p, "0123456789");
	uint64_t number = 0;

	if (digits == 0 || digits > DIGITS_MAX)
		return false;
	for (size_t i = 0; i < digits; i++)
		number = number * 10 + (uint64_t)((*p)[i] - '0');
	*p += digits;
	*ret = number;
	return true;
}

/* The range at *p, and the comma behind it. */
static bool take_range(const char **p, struct range *ret)
{
	struct range range = { .step = 1 };

	if (!take_number(p, &range.first))
		return false;
	range.last = range.first;
	if (**p == '-') {
		(*p)++;
		if (!take_number(p, &range.last))
			return false;
		if (**p == ':') {
			(*p)++;
			if (!take_number(p, &range.step) || range.step == 0)
				return false;
		}
	}
	if (**p == ',')
		(*p)++;
	*ret = range;
	return true;
}

bool indices_are_valid(const char *text)
{
	const char *p = text;
	struct range range;
	uint64_t at_once;

	if (strlen(text) > INDICES_TEXT_MAX)
		return false;
	do {
		if (!take_range(&p, &range) || range.first > range.last || range.last > INDICES_MAX)
			return false;
	} while (*p != '\0' && *p != '%');
	if (p[-1] == ',')
		return false;
	if (*p == '%') {
		p++;
		if (!take_number(&p, &at_once) || at_once == 0)
			return false;
	}
	return *p == '\0';
}

/* The first of the range that is not below `from`. */
static bool next_of(const struct range *range, uint64_t from, uint64_t *ret)
{
	uint64_t next = range->first;

	if (from > next)
		next += (from - next + range->step - 1) / range->step * range->step;
	*ret = next;
	return next <= range->last;
}

bool indices_next(const char *text, uint64_t from, uint64_t *ret)
{
	struct range range;
	uint64_t lowest = UINT64_MAX, next;

	while (take_range(&text, &range)) {
		if (next_of(&range, from, &next) && next < lowest)
			lowest = next;
	}
	if (lowest == UINT64_MAX)
		return false;
	*ret = lowest;
	return true;
}

bool indices_have(const char *text, uint64_t index)
{
	uint64_t next;

	return indices_next(text, index, &next) && next == index;
}

bool indices_nth(const char *text, uint64_t n, uint64_t *ret)
{
	uint64_t at = 0;

	for (; indices_next(text, at, &at); at++) {
		if (n-- == 0) {
			*ret = at;
			return true;
		}
	}
	return false;
}

bool indices_count_before(const char *text, uint64_t index, uint64_t *ret)
{
	uint64_t n = 0;

	if (!indices_have(text, index))
		return false;
	for (uint64_t at = 0; indices_next(text, at, &at) && at < index; at++)
		n++;
	*ret = n;
	return true;
}

uint64_t indices_count(const char *text)
{
	uint64_t count = 0;
	const char *p = text;
	struct range range;

	/* Nearly all are one range, of which nothing can come twice. */
	if (take_range(&p, &range) && range.first <= range.last && p[-1] != ',' &&
	    (*p == '\0' || *p == '%'))
		return (range.last - range.first) / range.step + 1;
	for (uint64_t i = 0; indices_next(text, i, &i); i++)
		count++;
	return count;
}

uint64_t indices_last(const char *text)
{
	struct range range;
	uint64_t last = 0;

	while (take_range(&text, &range)) {
		if (range.first <= range.last)
			last = MAX(last, range.last - (range.last - range.first) % range.step);
	}
	return last;
}
