/* SPDX-License-Identifier: MIT */
/* A store for tests; see ctl_database.h. */
#include "tests/unit/unit.h"

#include "ctl_database.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "init/base/fs.h"

struct database database;

int database_set_up(void **state)
{
	(void)state;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	snprintf(database.dir, sizeof(database.dir), "/tmp/berth-store-XXXXXX");
	if (!mkdtemp(database.dir))
		return -1;
	snprintf(database.path, sizeof(database.path), "%s/berth.db", database.dir);
	return 0;
}

void database_await_children(void)
{
	while (wait(NULL) > 0)
		;
}

int database_tear_down(void **state)
{
	(void)state;
	database_await_children();
	return fs_remove_tree(database.dir, NULL);
}

struct store *database_open(void)
{
	struct store *store = NULL;
	struct err err;

	if (store_open(database.path, &store, &err) < 0)
		fail_msg("%s", err.text);
	return store;
}

uint64_t database_add(struct store *store, const char *uid, const char *name)
{
	cleanup(job_finish) struct job job = { 0 };

	job_init(&job);
	job_set(&job, uid, uid);
	job_set(&job, name, name);
	job_set(&job, backend, "local");
	job_set(&job, command, "echo 'it''s' \xff");
	job.tasks = 3;
	job.created_ns = 5;
	assert_int_equal(store_add_job(store, &job, NULL), 0);
	assert_true(job.id > 0);
	return job.id;
}
