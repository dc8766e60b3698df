/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Lists of nodes as schedulers write them: "gpu[1-3,07],login2". They are never expanded: a list of
 * a few bytes can stand for a million nodes.
 */

#include <stdbool.h>

/*
 * Whether the list names the node. A number in brackets with leading zeros has that many digits
 * ("n[01-10]" holds n09 and not n9). Of an element with several brackets each is matched by itself.
 * What is not such a list holds nothing.
 */
bool hostlist_has(const char *list, const char *node);
