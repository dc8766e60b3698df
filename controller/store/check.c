/* SPDX-License-Identifier: MIT */
/* Looking at the database without changing it; see store.h. */
#include <string.h>

#include "controller/store/schema.h"
#include "controller/store/statement.h"
#include "controller/store/store.h"

/* Somebody who looks does not wait for somebody who writes. */
#define BUSY_TIMEOUT_MS 1000

/* The first row's first column, as the statement gives it. */
static int ask(struct store *store, const char *sql, sqlite3_stmt **ret, struct err *err)
{
	if (statement_prepare(store, sql, ret, err) < 0)
		return -1;
	return sqlite3_step(*ret) == SQLITE_ROW ? 0 : statement_fail(store, err);
}

static int look(struct store *store, uint64_t *ret_jobs, struct err *err)
{
	cleanup(statement_finalize) sqlite3_stmt *version = NULL;
	cleanup(statement_finalize) sqlite3_stmt *whole = NULL;
	cleanup(statement_finalize) sqlite3_stmt *count = NULL;

	if (ask(store, "PRAGMA user_version", &version, err) < 0 ||
	    ask(store, "PRAGMA quick_check(1)", &whole, err) < 0)
		return -1;
	if (strcmp((const char *)sqlite3_column_text(whole, 0), "ok") != 0)
		return err_set(err, ERR_SYSTEM,
			       "%s is damaged (%s): move it away to start a new one; the jobs "
			       "themselves run on",
			       store->path, sqlite3_column_text(whole, 0));
	if (sqlite3_column_int(version, 0) > SCHEMA_VERSION)
		return err_set(err, ERR_UNSUPPORTED, "%s is of a newer berth: use that one",
			       store->path);
	if (ask(store, "SELECT count(*) FROM jobs", &count, err) < 0)
		return -1;
	*ret_jobs = (uint64_t)sqlite3_column_int64(count, 0);
	return 0;
}

int store_check(const char *path, uint64_t *ret_jobs, struct err *err)
{
	struct store store = { .path = (char *)(uintptr_t)path };
	int result = -1;

	if (sqlite3_open_v2(path, &store.db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
		statement_fail(&store, err);
	} else {
		sqlite3_busy_timeout(store.db, BUSY_TIMEOUT_MS);
		result = look(&store, ret_jobs, err);
	}
	sqlite3_close(store.db);
	return result;
}
