/* SPDX-License-Identifier: MIT */
/* Moments; see moment.h. */
#include "moment.h"

#include <time.h>

#include "init/base/macro.h"
#include "init/base/text.h"

static const struct {
	const char *form;
	bool has_day;
} forms[] = {
	{ "%H:%M", false },	    { "%H:%M:%S", false },	   { "%Y-%m-%d", true },
	{ "%Y-%m-%dT%H:%M", true }, { "%Y-%m-%dT%H:%M:%S", true },
};

/* strptime(3) takes as much as it can; what is left over makes it another form, or none. */
static bool parse_form(const char *text, size_t form, time_t now, time_t *ret)
{
	struct tm tm = { 0 };
	const char *end;

	if (!forms[form].has_day && !localtime_r(&now, &tm))
		return false;
	tm.tm_hour = 0;
	tm.tm_min = 0;
	tm.tm_sec = 0;
	end = strptime(text, forms[form].form, &tm);
	if (!end || *end != '\0')
		return false;
	tm.tm_isdst = -1;
	*ret = mktime(&tm);
	return *ret >= 0;
}

bool moment_parse(const char *text, uint64_t now_ns, uint64_t *ret_ns)
{
	time_t now = (time_t)(now_ns / NSEC_PER_SEC), then = 0;
	uint64_t ago_ns;
	size_t form = 0;

	if (text_parse_duration(text, &ago_ns)) {
		*ret_ns = now_ns - MIN(ago_ns, now_ns);
		return true;
	}
	while (form < ARRAY_LEN(forms) && !parse_form(text, form, now, &then))
		form++;
	if (form == ARRAY_LEN(forms) || then > now)
		return false;
	*ret_ns = (uint64_t)then * NSEC_PER_SEC;
	return true;
}
