/* SPDX-License-Identifier: MIT */
#pragma once

/* A moment in the past as people write it. */

#include <stdbool.h>
#include <stdint.h>

/*
 * "10m": so long before now; "14:30" and "14:30:05": today; "2026-11-21", "2026-11-21T14:30" and
 * "2026-11-21T14:30:05": then, by the local clock. False for anything else, and for what is yet to
 * come.
 */
bool moment_parse(const char *text, uint64_t now_ns, uint64_t *ret_ns);
