/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A user with everything of their own (home, state, ssh configuration, bundle) and a backend in
 * memory, made for each test and gone after it.
 */

#include "controller/backends/fake.h"
#include "controller/ops/gc.h"
#include "controller/ops/internal.h"

extern struct user {
	char home[64];
	char *ssh_config, *ssh_jobs;
	struct controller *c;
	struct fake *fake;
} user;

int user_set_up(void **state);
int user_tear_down(void **state);

/* Files below the home directory. */
void user_put(const char *name, const char *text, mode_t mode);
bool user_has(const char *name);

/* Submits `true`; the second form fails the test when that fails, or when there are notes. */
int user_submit(const char *name, struct job *ret, struct notes *notes, struct err *err);
struct job user_submitted(const char *name);

/* ops_collect() with nothing but a retention; what went is counted, and not kept. */
int user_collect(uint64_t retention_ns, struct gc_report *ret, struct err *err);

bool user_job_has(const struct job *job, const char *name);
bool user_has_key(const struct job *job);
