/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A store in a directory of its own. Whoever shortens its log is a child of the test then, also
 * where another process has begun it, and has ended when the directory is removed.
 *
 *	cmocka_unit_test_setup_teardown(name, database_set_up, database_tear_down)
 */

#include "controller/store/store.h"

struct database {
	char dir[64], path[80];
};

extern struct database database;

int database_set_up(void **state);
int database_tear_down(void **state);

/* Fails the test when it cannot. */
struct store *database_open(void);

/* A job with little more than this; its number. */
uint64_t database_add(struct store *store, const char *uid, const char *name);

/* Until nobody shortens a log any more. */
void database_await_children(void);
