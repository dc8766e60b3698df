/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Signals by name, as people write them: "15", "TERM", "SIGTERM", "term". The real-time signals
 * have numbers only: what RTMIN is differs between C libraries, a number does not.
 */

#include <stdbool.h>

#include "macro.h"

#define SIGNO_LAST 64

/* 1 to SIGNO_LAST. False, and *ret unchanged, when it is no signal. */
bool signo_parse(const char *text, int *ret) attr_must_use;

/* "TERM"; NULL for one that has only a number here. */
const char *signo_word(int signo);
