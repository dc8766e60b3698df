/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A backend in memory, for tests: jobs do what the test says, nothing runs. It counts what it is
 * asked, and can be told to fail. The last act on a job is its reason; it cannot update.
 */

#include "controller/backends/backend.h"

struct fake;

/* Named "fake"; observes_at_once as given. */
struct fake *fake_new(void);
struct backend *fake_backend(struct fake *fake);

/* What the next observations say about the job that was submitted as the nth, from 0. */
void fake_set(struct fake *fake, size_t n, enum job_state state, int exit_code);

/* What a job prints. */
void fake_print(struct fake *fake, size_t n, const char *text);

/* From now on every request fails with this kind; ERR_NONE: no longer. */
void fake_fail(struct fake *fake, enum err_kind kind);

/* Cancelled jobs do not end by themselves. */
void fake_be_stubborn(struct fake *fake);

/* The next submissions say that something is missing. */
void fake_degrade(struct fake *fake, const char *what);

/* A job with this native id is found for submissions that died; NULL: none is. */
void fake_lose(struct fake *fake, const char *native_id);

struct fake_counts {
	size_t submits, expects, observes, cancels, kills, acts; /* requests, not jobs */
};
struct fake_counts fake_counts(const struct fake *fake);
