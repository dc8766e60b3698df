/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the files of the store share and nobody else sees: statements, and what SQLite's errors
 * mean.
 */

#include <sqlite3.h>

#include "controller/store/store.h"

struct store {
	sqlite3 *db;
	char *path;
	sqlite3_stmt *update_job; /* prepared when first used; thousands are updated at a time */
	sqlite3_stmt *save_run;
	int wal_len; /* frames of the log after our last change, or 0 */
};

/* How long somebody waits for others who write. */
#define STORE_BUSY_TIMEOUT_MS 10000

static inline void statement_finalize(sqlite3_stmt *statement)
{
	sqlite3_finalize(statement);
}
DEFINE_CLEANUP(sqlite3_stmt, statement_finalize)

/* Foreign codes stop here. Returns -1. */
int statement_fail(struct store *store, struct err *err);

int statement_prepare(struct store *store, const char *sql, sqlite3_stmt **ret, struct err *err)
	attr_must_use;

/* The same for a statement that the store keeps: *kept is prepared, or made ready again. */
int statement_keep(struct store *store, const char *sql, sqlite3_stmt **kept, struct err *err)
	attr_must_use;

/* Runs a statement to its end. */
int statement_finish(struct store *store, sqlite3_stmt *statement, struct err *err) attr_must_use;

void statement_bind_text(sqlite3_stmt *s, const char *name, const char *value);
void statement_bind_int(sqlite3_stmt *s, const char *name, int64_t value);

/* Never NULL. free() it. */
char *statement_take_text(sqlite3_stmt *s, int column);

/* wal.c: begins to use the write-ahead log; has a long one put into place while nobody waits. */
int wal_use(struct store *store, struct err *err) attr_must_use;
void wal_shorten(const char *path, int len);
