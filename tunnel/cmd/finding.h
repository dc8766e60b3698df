/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What `berth-tunnel doctor` finds out: one finding a check, each with how bad it is, how long it
 * took, and a sentence that says what to do where something can be done.
 *
 *	struct finding *f = findings_add(&findings, "udp", "relay.example.org:443");
 *
 *	finding_say(f, FINDING_WARNING, "UDP to %s gets no answer: ...", f->target);
 *
 * As text a finding is a line; as JSON an object with the members check, target, level, took_ms
 * (null: it took no time of its own) and text, in an array "findings" beside "worst". The names of
 * checks and levels are for programs and stay as they are.
 */

#include <stdint.h>
#include <stdio.h>

#include "init/base/err.h"
#include "init/base/macro.h"

/* Best first. A note is not bad; a warning: it works, but worse than it could; else it does not. */
#define FINDING_LEVELS(X)             \
	X(FINDING_OK, "ok")           \
	X(FINDING_NOTE, "note")       \
	X(FINDING_WARNING, "warning") \
	X(FINDING_FAILURE, "failure")

#define FINDING_LEVEL_ENUM(name, text) name,
enum finding_level { FINDING_LEVELS(FINDING_LEVEL_ENUM) };
#undef FINDING_LEVEL_ENUM

#define FINDINGS_MAX 160
#define FINDING_TARGET_MAX 300

struct finding {
	const char *check; /* a literal */
	char target[FINDING_TARGET_MAX];
	enum finding_level level;
	uint64_t took_ns; /* 0: it took no time of its own */
	char text[ERR_TEXT_MAX];
};

struct findings {
	struct finding items[FINDINGS_MAX];
	size_t len;
};

/* Never NULL: of too many the last is overwritten. target "" is what the whole is about. */
struct finding *findings_add(struct findings *findings, const char *check, const char *target);
/* What others sent is made harmless for a terminal. */
void finding_say(struct finding *finding, enum finding_level level, const char *fmt, ...)
	attr_printf(3, 4);

enum finding_level findings_worst(const struct findings *findings);
/* 0: nothing worse than a note; 1: a warning; 2: a failure. */
int findings_status(const struct findings *findings);

void findings_print(const struct findings *findings, FILE *out);
void findings_print_json(const struct findings *findings, FILE *out);
