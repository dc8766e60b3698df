/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What doctor finds out: one finding a check, each with how bad it is, how long it took, and a
 * sentence that says what to do where something can be done.
 *
 *	struct finding *f = finding_list_add(&list, "database", path);
 *
 *	finding_say(f, FINDING_FAILURE, "%s: can be read by others: chmod 600 %s", path, path);
 *
 * `berth-tunnel doctor -o json` tells its own in the same form (berth-tunnel(1)).
 */

#include <jansson.h>
#include <stdint.h>

#include "init/base/cleanup.h"
#include "init/base/err.h"

/* Best first. A note is not bad; a warning: it works, but worse than it could; else it does not. */
#define FINDING_LEVELS(X)             \
	X(FINDING_OK, "ok")           \
	X(FINDING_NOTE, "note")       \
	X(FINDING_WARNING, "warning") \
	X(FINDING_FAILURE, "failure")

#define X(name, word) name,
enum finding_level { FINDING_LEVELS(X) };
#undef X

const char *finding_level_word(enum finding_level level);

#define FINDING_LIST_MAX 1024
#define FINDING_TEXT_MAX 1024

struct finding {
	char *check;
	char *target; /* or "" */
	enum finding_level level;
	int64_t took_ms; /* -1: no time of its own */
	char *text;
};

struct finding_list {
	struct finding *items;
	size_t len;
};

void finding_list_finish(struct finding_list *list);
DEFINE_CLEANUP_VALUE(struct finding_list, finding_list_finish)

/* Without a time. Valid until the next is added; of too many the last is overwritten. */
struct finding *finding_list_add(struct finding_list *list, const char *check, const char *target);
void finding_say(struct finding *finding, enum finding_level level, const char *fmt, ...)
	attr_printf(3, 4);

/* A new reference. */
json_t *finding_json(const struct finding *finding) attr_must_use;
/* Adds what such an object says; ERR_INVALID when it is none. */
int finding_list_parse(struct finding_list *list, const json_t *object, struct err *err)
	attr_must_use;

enum finding_level finding_list_worst(const struct finding_list *list);
