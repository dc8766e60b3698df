/* SPDX-License-Identifier: MIT */
/* The migrations; see schema.h. */
#include "schema.h"

const char *const schema_migrations[SCHEMA_VERSION] = {
	/* AUTOINCREMENT: a number is not used again after its record was deleted. */
	"CREATE TABLE jobs ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" uid TEXT NOT NULL UNIQUE,"
	" name TEXT NOT NULL,"
	" backend TEXT NOT NULL,"
	" native_id TEXT NOT NULL,"
	" directory TEXT NOT NULL,"
	" command TEXT NOT NULL,"
	" state TEXT NOT NULL,"
	" native_state TEXT NOT NULL,"
	" reason TEXT NOT NULL,"
	" exit_code INTEGER NOT NULL,"
	" signal INTEGER NOT NULL,"
	" created_ns INTEGER NOT NULL,"
	" started_ns INTEGER NOT NULL,"
	" ended_ns INTEGER NOT NULL,"
	" seen_ns INTEGER NOT NULL,"
	" nodes INTEGER NOT NULL,"
	" tasks INTEGER NOT NULL,"
	" cancel_requested INTEGER NOT NULL,"
	" collected INTEGER NOT NULL);"
	"CREATE INDEX jobs_by_name ON jobs (name);"
	"CREATE INDEX jobs_by_state ON jobs (state);"
	"CREATE TABLE notes (key TEXT PRIMARY KEY, value TEXT NOT NULL);"
	"PRAGMA user_version = 1;",
	/* Where a job is, whose it is, and how often it was started. */
	"ALTER TABLE jobs ADD COLUMN queue TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE jobs ADD COLUMN user TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE jobs ADD COLUMN node_list TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE jobs ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;"
	"PRAGMA user_version = 2;",
	/* Clusters have names; those that need no configuration are called as their backend. */
	"ALTER TABLE jobs ADD COLUMN cluster TEXT NOT NULL DEFAULT '';"
	"UPDATE jobs SET cluster = backend;"
	"PRAGMA user_version = 3;",
	/* Arrays, and what each of their tasks and each attempt of a job did. */
	"ALTER TABLE jobs ADD COLUMN array TEXT NOT NULL DEFAULT '';"
	"CREATE TABLE runs ("
	" job INTEGER NOT NULL,"
	" task INTEGER NOT NULL,"
	" attempt INTEGER NOT NULL,"
	" state TEXT NOT NULL,"
	" native_state TEXT NOT NULL,"
	" reason TEXT NOT NULL,"
	" node_list TEXT NOT NULL,"
	" exit_code INTEGER NOT NULL,"
	" signal INTEGER NOT NULL,"
	" started_ns INTEGER NOT NULL,"
	" ended_ns INTEGER NOT NULL,"
	" max_rss INTEGER NOT NULL,"
	" cpu_ns INTEGER NOT NULL,"
	" PRIMARY KEY (job, task, attempt)) WITHOUT ROWID;"
	"PRAGMA user_version = 4;",
	/* Jobs that were submitted elsewhere, and until when those from a file can be entered. */
	"ALTER TABLE jobs ADD COLUMN origin TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE jobs ADD COLUMN expires_ns INTEGER NOT NULL DEFAULT 0;"
	"PRAGMA user_version = 5;",
	/* Jobs that belong together. */
	"ALTER TABLE jobs ADD COLUMN jobset TEXT NOT NULL DEFAULT '';"
	"PRAGMA user_version = 6;",
	/* Tasks of arrays have ranks, too; those that there were had one. */
	"UPDATE jobs SET tasks = 1 WHERE array != '';"
	"PRAGMA user_version = 7;",
};
