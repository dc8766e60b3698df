/* SPDX-License-Identifier: MIT */
/* Whose command line it is, and what all of them have in common; see plan.h. */
#include "plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "init/base/text.h"

#define GRACE_DEFAULT (5 * NSEC_PER_SEC)
#define CODE_MAX 255
#define CODE_SIZE 4

/* The last one is for every other name. */
static const struct personality *const personalities[] = {
	&personality_tini,
	&personality_dumb_init,
	&personality_berth,
};

static bool has_name(const struct personality *p, const char *name)
{
	for (const char *const *known = p->names; *known; known++) {
		if (strcmp(*known, name) == 0)
			return true;
	}
	return false;
}

static const struct personality *find_personality(const char *started_as)
{
	const char *slash = started_as ? strrchr(started_as, '/') : NULL;
	const char *name = slash ? slash + 1 : started_as;
	size_t last = ARRAY_LEN(personalities) - 1;

	for (size_t i = 0; name && i < last; i++) {
		if (has_name(personalities[i], name))
			return personalities[i];
	}
	return personalities[last];
}

bool plan_parse_remap(const char *text, struct plan *plan)
{
	const char *colon = strchrnul(text, ':');
	char code[CODE_SIZE];
	uint64_t from = 0, to = 0;

	if (colon - text >= CODE_SIZE)
		return false;
	snprintf(code, sizeof(code), "%.*s", (int)(colon - text), text);
	if (!text_parse_uint(code, CODE_MAX, &from) ||
	    (*colon && !text_parse_uint(colon + 1, CODE_MAX, &to)))
		return false;
	plan->exits[from] = (uint8_t)to;
	return true;
}

int plan_make(int argc, char **argv, struct plan *plan, struct err *err)
{
	plan->personality = find_personality(argv[0]);
	plan->grace_ns = GRACE_DEFAULT;
	plan->subreaper = true;
	forward_rules_init(&plan->rules);
	for (int code = 0; code <= CODE_MAX; code++)
		plan->exits[code] = (uint8_t)code;
	/* The operands are put to the front of an array that has held our own name too. */
	plan->command = argv;
	return plan->personality->make(argc, argv, plan, err);
}

void plan_finish(struct plan *plan)
{
	free(plan->dir);
	free(plan->status_path);
	free(plan->endpoint_path);
	free(plan->tunnel_path);
	free(plan->tunnel_log);
	*plan = (struct plan){ 0 };
}
