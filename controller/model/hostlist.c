/* SPDX-License-Identifier: MIT */
/* Lists of nodes; see hostlist.h. */
#include "hostlist.h"

#include <stdint.h>
#include <string.h>

#define DIGITS_MAX 18

/* Reads a number at *s and its number of digits; false when there is none or it is too long. */
static bool take_number(const char **s, uint64_t *ret, size_t *ret_digits)
{
	size_t digits = strspn(*s, "0123456789");

	*ret = 0;
	if (digits == 0 || digits > DIGITS_MAX)
		return false;
	for (size_t i = 0; i < digits; i++)
		*ret = *ret * 10 + (uint64_t)((*s)[i] - '0');
	*s += digits;
	*ret_digits = digits;
	return true;
}

/* Whether "1-3,07" at p, up to ']', holds the number that is written with these digits. */
static bool ranges_have(const char *p, uint64_t number, const char *digits, size_t len)
{
	while (*p && *p != ']') {
		uint64_t first, last;
		size_t width, ignored;

		if (!take_number(&p, &first, &width))
			return false;
		last = first;
		if (*p == '-') {
			p++;
			if (!take_number(&p, &last, &ignored))
				return false;
		}
		/* Digits beyond the width are needed for the number, never zeros. */
		if (number >= first && number <= last &&
		    (len == width || (len > width && digits[0] != '0')))
			return true;
		if (*p == ',')
			p++;
	}
	return false;
}

/* One element of the list, from p to end, against the whole name. */
static bool element_is(const char *p, const char *end, const char *node)
{
	while (p < end && *p != '[') {
		if (*p++ != *node++)
			return false;
	}
	while (p < end) {
		const char *digits = node, *close = memchr(p, ']', (size_t)(end - p));
		uint64_t number;
		size_t len;

		if (!close || !take_number(&node, &number, &len) ||
		    !ranges_have(p + 1, number, digits, len))
			return false;
		for (p = close + 1; p < end && *p != '['; p++) {
			if (*p != *node++)
				return false;
		}
	}
	return *node == '\0';
}

/* The comma that ends the element at p, or the end of the list: not one in brackets. */
static const char *element_end(const char *p)
{
	bool inside = false;

	for (; *p && (inside || *p != ','); p++) {
		if (*p == '[')
			inside = true;
		else if (*p == ']')
			inside = false;
	}
	return p;
}

bool hostlist_has(const char *list, const char *node)
{
	if (node[0] == '\0')
		return false;
	for (;;) {
		const char *end = element_end(list);

		if (end > list && element_is(list, end, node))
			return true;
		if (*end == '\0')
			return false;
		list = end + 1;
	}
}
