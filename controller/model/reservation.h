/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Nodes that are kept for somebody or something, from a time to a time: jobs get them that name the
 * reservation (--reservation), if they may. Plain data; strings are never NULL in one that was
 * added to a list.
 */

#include <stdint.h>

#include "init/base/cleanup.h"

struct reservation {
	char *name;
	char *state;		     /* the scheduler's own word, or "" */
	char *node_list;	     /* as the scheduler writes it, or "" */
	char *features;		     /* separated by commas, or "" */
	char *users;		     /* who may use it, "" when that is not told */
	uint64_t starts_ns, ends_ns; /* 0: not known */
};

struct reservation_list {
	struct reservation *items;
	size_t len;
};

void reservation_finish(struct reservation *reservation);
DEFINE_CLEANUP_VALUE(struct reservation, reservation_finish)
void reservation_list_finish(struct reservation_list *list);
DEFINE_CLEANUP_VALUE(struct reservation_list, reservation_list_finish)

/* Moves it to the end of the list; *reservation is all-zero afterwards. */
void reservation_list_take(struct reservation_list *list, struct reservation *reservation);
