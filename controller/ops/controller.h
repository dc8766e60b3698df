/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Everything a user can do with jobs is an operation here; the command line (and later other faces)
 * calls it. Operations neither print nor ask: results are values, what the user should hear beside
 * the result is put into notes, and progress goes to a callback.
 *
 *	cleanup(controller_close) struct controller *c = NULL;
 *
 *	if (controller_open(&c, err) < 0 || ops_find(c, &ref, &job, err) < 0)
 *		return -1;
 */

#include "controller/model/job.h"
#include "controller/model/ref.h"
#include "controller/model/spec.h"
#include "init/base/err.h"

struct backend;
struct controller;

/*
 * What --context, --cluster and --verbose of any verb say; NULL where they were not given. There
 * is one set of options a process, and it is filled before there is a controller.
 */
extern struct controller_choice {
	const char *context;
	const char *cluster;
	uint64_t verbose;	       /* how often it was said */
	void (*say)(const char *line); /* hears how a job's name was understood; or NULL */
} controller_choice;

/* Reads the environment, opens the database and makes the directories it needs. */
int controller_open(struct controller **ret, struct err *err) attr_must_use;
struct controller *controller_close(struct controller *c);
DEFINE_CLEANUP(struct controller, controller_close)

/* Who hears how many bytes of something large have been copied; told often. */
void controller_tell_progress(struct controller *c,
			      void (*tell)(void *arg, uint64_t done, uint64_t total), void *arg);

/* The same of an image that a cluster fetches for a job. */
void controller_tell_fetching(struct controller *c,
			      void (*tell)(void *arg, uint64_t done, uint64_t total), void *arg);

/* Makes a backend the cluster that is called as it is: for tests. Takes it over. */
void controller_use_backend(struct controller *c, struct backend *backend);

/* Lines for the user that are no errors: what was done without, what is theirs to do. */
#define NOTES_MAX 8

struct notes {
	char *items[NOTES_MAX];
	size_t len;
};

void notes_add(struct notes *notes, const char *fmt, ...) attr_printf(2, 3);
void notes_finish(struct notes *notes);
DEFINE_CLEANUP_VALUE(struct notes, notes_finish)
