/* SPDX-License-Identifier: MIT */
/* Amounts; see quantity.h. */
#include "quantity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "init/base/macro.h"

#define DIGITS "0123456789"
#define MILLI 1000
/* What binary fractions are off by is not an amount. */
#define ROUNDING 1e-6

static const struct {
	const char *suffix;
	double factor;
} units[] = {
	{ "", 1 },	  { "n", 1e-9 },    { "u", 1e-6 },    { "m", 1e-3 },
	{ "k", 1e3 },	  { "M", 1e6 },	    { "G", 1e9 },     { "T", 1e12 },
	{ "P", 1e15 },	  { "E", 1e18 },    { "Ki", 0x1p10 }, { "Mi", 0x1p20 },
	{ "Gi", 0x1p30 }, { "Ti", 0x1p40 }, { "Pi", 0x1p50 }, { "Ei", 0x1p60 },
};

/* "e3" and "E-3", which are exponents, beside "E", which is a unit. */
static bool find_factor(const char *suffix, double *ret)
{
	char *end;

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(units[i].suffix, suffix) == 0) {
			*ret = units[i].factor;
			return true;
		}
	}
	if ((suffix[0] != 'e' && suffix[0] != 'E') || strlen(suffix) > 5 ||
	    !strpbrk(suffix + 1, DIGITS) || suffix[1 + strspn(suffix + 1, DIGITS "+-")] != '\0')
		return false;
	*ret = 1;
	for (long exponent = strtol(suffix + 1, &end, 10); exponent != 0;
	     exponent += exponent > 0 ? -1 : 1)
		*ret = exponent > 0 ? *ret * 10 : *ret / 10;
	return *end == '\0';
}

bool quantity_parse(const char *text, uint64_t *ret_milli)
{
	size_t len = strspn(text, DIGITS "."), rounded;
	double number, factor, milli;
	char digits[40];

	if (len == 0 || len >= sizeof(digits) || !find_factor(text + len, &factor))
		return false;
	memcpy(digits, text, len);
	digits[len] = '\0';
	if (strchr(digits, '.') != strrchr(digits, '.') || !strpbrk(digits, DIGITS))
		return false;
	number = strtod(digits, NULL);
	milli = number * (factor * MILLI);
	if (milli >= 0x1p63) {
		*ret_milli = UINT64_MAX;
		return true;
	}
	rounded = (size_t)milli;
	*ret_milli = rounded + (milli - (double)rounded > ROUNDING);
	return true;
}

uint64_t quantity_of(const json_t *object, const char *key)
{
	const json_t *member = json_object_get(object, key);
	const char *text = json_string_value(member);
	uint64_t milli = 0;

	if (json_is_integer(member) && json_integer_value(member) > 0)
		return (uint64_t)MIN(json_integer_value(member), INT64_MAX / MILLI) * MILLI;
	return text && quantity_parse(text, &milli) ? milli : 0;
}
