/* SPDX-License-Identifier: MIT */
/* The database of jobs; see store.h. */
#include "store.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "controller/store/schema.h"
#include "controller/store/statement.h"
#include "init/base/span.h"

/* The columns of SCHEMA_JOB_SELECT that are texts. */
#define ONE_MORE(name) +1
enum { FIRST_TEXT = 2, TEXTS = 0 SCHEMA_JOB_TEXTS(ONE_MORE) };

int statement_fail(struct store *store, struct err *err)
{
	const char *why = sqlite3_errmsg(store->db);

	switch (sqlite3_errcode(store->db) & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return err_set(err, ERR_SYSTEM,
			       "%s is damaged (%s): move it away to start a new one; the jobs "
			       "themselves run on",
			       store->path, why);
	case SQLITE_FULL:
		return err_set(err, ERR_LIMIT, "%s: the disk is full: make room and try again",
			       store->path);
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return err_set(err, ERR_DENIED, "%s: %s: make it writable for you", store->path,
			       why);
	case SQLITE_CANTOPEN:
		return err_set(err, ERR_DENIED, "%s: %s: is its directory there and yours?",
			       store->path, why);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(err, ERR_UNAVAILABLE,
			       "%s is in use by another berth: try again in a moment", store->path);
	default:
		return err_set(err, ERR_SYSTEM, "%s: %s", store->path, why);
	}
}

static int ensure_open(struct store *store, struct err *err);

static int execute(struct store *store, const char *sql, struct err *err)
{
	if (ensure_open(store, err) < 0)
		return -1;
	return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK
		       ? 0
		       : statement_fail(store, err);
}

int statement_prepare(struct store *store, const char *sql, sqlite3_stmt **ret, struct err *err)
{
	if (ensure_open(store, err) < 0)
		return -1;
	return sqlite3_prepare_v2(store->db, sql, -1, ret, NULL) == SQLITE_OK
		       ? 0
		       : statement_fail(store, err);
}

int statement_finish(struct store *store, sqlite3_stmt *statement, struct err *err)
{
	return sqlite3_step(statement) == SQLITE_DONE ? 0 : statement_fail(store, err);
}

int statement_keep(struct store *store, const char *sql, sqlite3_stmt **kept, struct err *err)
{
	if (!*kept)
		return statement_prepare(store, sql, kept, err);
	sqlite3_reset(*kept);
	return 0;
}

int store_begin(struct store *store, struct err *err)
{
	return execute(store, "BEGIN IMMEDIATE", err);
}

int store_commit(struct store *store, struct err *err)
{
	if (execute(store, "COMMIT", err) == 0)
		return 0;
	execute(store, "ROLLBACK", NULL);
	return -1;
}

int store_begin_reading(struct store *store, struct err *err)
{
	return execute(store, "BEGIN", err);
}

int store_end_reading(struct store *store, struct err *err)
{
	return execute(store, "COMMIT", err);
}

static int get_version(struct store *store, int *ret, struct err *err)
{
	cleanup(statement_finalize) sqlite3_stmt *s = NULL;

	if (statement_prepare(store, "PRAGMA user_version", &s, err) < 0)
		return -1;
	if (sqlite3_step(s) != SQLITE_ROW)
		return statement_fail(store, err);
	*ret = sqlite3_column_int(s, 0);
	return 0;
}

/* One migration is one transaction; two processes that open an old file at once do it once. */
static int migrate(struct store *store, struct err *err)
{
	int version;

	for (;;) {
		if (get_version(store, &version, err) < 0)
			return -1;
		if (version == SCHEMA_VERSION)
			return 0;
		if (version > SCHEMA_VERSION || version < 0)
			return err_set(
				err, ERR_UNSUPPORTED,
				"%s was written by a newer berth (version %d, this one knows "
				"%d): use that one",
				store->path, version, SCHEMA_VERSION);
		if (execute(store, "BEGIN IMMEDIATE", err) < 0)
			return -1;
		if (get_version(store, &version, err) < 0 ||
		    (version < SCHEMA_VERSION &&
		     execute(store, schema_migrations[version], err) < 0) ||
		    execute(store, "COMMIT", err) < 0) {
			execute(store, "ROLLBACK", NULL);
			return -1;
		}
	}
}

static int set_up(struct store *store, struct err *err)
{
	sqlite3_busy_timeout(store->db, STORE_BUSY_TIMEOUT_MS);
	if (wal_use(store, err) < 0 || execute(store, "PRAGMA synchronous=NORMAL", err) < 0)
		return -1;
	return migrate(store, err);
}

static int ensure_open(struct store *store, struct err *err)
{
	mode_t before;
	int result;

	if (store->db)
		return 0;
	before = umask(0077);
	result = sqlite3_open_v2(store->path, &store->db,
				 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
				 NULL);
	umask(before);
	if (result != SQLITE_OK)
		statement_fail(store, err);
	else if (set_up(store, err) == 0)
		return 0;
	/* The next question gets the same answer, or a better one. */
	sqlite3_close(store->db);
	store->db = NULL;
	return -1;
}

struct store *store_new(const char *path)
{
	struct store *store = new_zero(struct store);

	store->path = str_dup(path);
	return store;
}

int store_open(const char *path, struct store **ret, struct err *err)
{
	cleanup(store_close) struct store *store = store_new(path);

	if (ensure_open(store, err) < 0)
		return -1;
	*ret = take_ptr(store);
	return 0;
}

struct store *store_close(struct store *store)
{
	if (store) {
		/*
		 * The log stays: removing it, to be made again by the next, takes longer than all
		 * that an ssh into a job reads, and than submitting a job.
		 */
		if (store->db)
			sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		sqlite3_finalize(store->update_job);
		sqlite3_finalize(store->save_run);
		sqlite3_close(store->db);
		wal_shorten(store->path, store->wal_len);
		free(store->path);
		free(store);
	}
	return NULL;
}

void statement_bind_text(sqlite3_stmt *s, const char *name, const char *value)
{
	sqlite3_bind_text(s, sqlite3_bind_parameter_index(s, name), value, -1, SQLITE_STATIC);
}

void statement_bind_int(sqlite3_stmt *s, const char *name, int64_t value)
{
	sqlite3_bind_int64(s, sqlite3_bind_parameter_index(s, name), value);
}

/* Binds the columns that the statement mentions; the others have no parameter, which is ignored. */
static void bind_job(sqlite3_stmt *s, const struct job *job)
{
	statement_bind_int(s, ":id", (int64_t)job->id);
	statement_bind_text(s, ":state", job_state_word(job->state));
#define X(name) statement_bind_text(s, ":" #name, job->name);
	SCHEMA_JOB_TEXTS(X)
#undef X
#define X(name) statement_bind_int(s, ":" #name, (int64_t)job->name);
	SCHEMA_JOB_NUMBERS(X)
#undef X
}

char *statement_take_text(sqlite3_stmt *s, int column)
{
	const unsigned char *text = sqlite3_column_text(s, column);

	return str_dup(text ? (const char *)text : "");
}

/* Bytes of a column, which SQLite would first copy to end them with a NUL. */
static struct span read_bytes(sqlite3_stmt *s, int column)
{
	const void *bytes = sqlite3_column_blob(s, column);

	return span_of(bytes, (size_t)sqlite3_column_bytes(s, column));
}

/* Reads the columns in the order of SCHEMA_JOB_SELECT. */
static void read_job(sqlite3_stmt *s, struct job *job)
{
	const unsigned char *state = sqlite3_column_text(s, 1);
	struct span texts[TEXTS], *text = texts;
	size_t size = JOB_TEXT_SIZE(0);
	int column = FIRST_TEXT + TEXTS;
	char *at;

	for (int i = 0; i < TEXTS; i++) {
		texts[i] = read_bytes(s, FIRST_TEXT + i);
		size += JOB_TEXT_SIZE(texts[i].len);
	}
	*job = (struct job){ .texts = alloc_grow(NULL, size, 1), .texts_size = size };
	at = job->texts;
	job->id = (uint64_t)sqlite3_column_int64(s, 0);
	job->state = job_state_parse(state ? (const char *)state : "");
	job->only = job_place_text(&at, "", 0);
#define X(name) job->name = job_place_text(&at, text->ptr, text->len), text++;
	SCHEMA_JOB_TEXTS(X)
#undef X
#define X(name) job->name = (__typeof__(job->name))sqlite3_column_int64(s, column++);
	SCHEMA_JOB_NUMBERS(X)
#undef X
}

int store_add_job(struct store *store, struct job *job, struct err *err)
{
	cleanup(statement_finalize) sqlite3_stmt *s = NULL;

	if (statement_prepare(store, SCHEMA_JOB_INSERT, &s, err) < 0)
		return -1;
	bind_job(s, job);
	if (statement_finish(store, s, err) < 0)
		return -1;
	job->id = (uint64_t)sqlite3_last_insert_rowid(store->db);
	return 0;
}

int store_update_job(struct store *store, const struct job *job, struct err *err)
{
	int result;

	if (statement_keep(store, SCHEMA_JOB_UPDATE, &store->update_job, err) < 0)
		return -1;
	bind_job(store->update_job, job);
	result = statement_finish(store, store->update_job, err);
	/* What it was given is the caller's, and a statement that is not reset holds its lock. */
	sqlite3_reset(store->update_job);
	sqlite3_clear_bindings(store->update_job);
	return result;
}

static int run_for_job(struct store *store, const char *sql, uint64_t id, struct err *err)
{
	cleanup(statement_finalize) sqlite3_stmt *s = NULL;

	if (statement_prepare(store, sql, &s, err) < 0)
		return -1;
	statement_bind_int(s, ":id", (int64_t)id);
	return statement_finish(store, s, err);
}

int store_mark_cancel_requested(struct store *store, uint64_t id, struct err *err)
{
	return run_for_job(store, "UPDATE jobs SET cancel_requested = 1 WHERE id = :id", id, err);
}

int store_mark_collected(struct store *store, uint64_t id, struct err *err)
{
	return run_for_job(store, "UPDATE jobs SET collected = 1 WHERE id = :id", id, err);
}

int store_mark_seen(struct store *store, uint64_t id, uint64_t seen_ns, struct err *err)
{
	cleanup(statement_finalize) sqlite3_stmt *s = NULL;

	if (statement_prepare(store, "UPDATE jobs SET seen_ns = :seen WHERE id = :id", &s, err) < 0)
		return -1;
	statement_bind_int(s, ":seen", (int64_t)seen_ns);
	statement_bind_int(s, ":id", (int64_t)id);
	return statement_finish(store, s, err);
}

int store_delete_job(struct store *store, uint64_t id, struct err *err)
{
	if (run_for_job(store, "DELETE FROM runs WHERE job = :id", id, err) < 0)
		return -1;
	return run_for_job(store, "DELETE FROM jobs WHERE id = :id", id, err);
}

static int read_one(struct store *store, sqlite3_stmt *s, struct job *ret, struct err *err)
{
	switch (sqlite3_step(s)) {
	case SQLITE_ROW:
		read_job(s, ret);
		return 0;
	case SQLITE_DONE:
		return err_set(err, ERR_NOT_FOUND,
			       "no such job: 'berth get jobs --all' lists them");
	default:
		return statement_fail(store, err);
	}
}

int store_find_by_id(struct store *store, uint64_t id, struct job *ret, struct err *err)
{
	cleanup(statement_finalize) sqlite3_stmt *s = NULL;

	if (statement_prepare(store, SCHEMA_JOB_SELECT " WHERE id = :id", &s, err) < 0)
		return -1;
	statement_bind_int(s, ":id", (int64_t)id);
	if (read_one(store, s, ret, err) < 0)
		return err_wrap(err, "job-%" PRIu64, id);
	return 0;
}

int store_find_by_uid(struct store *store, const char *uid, struct job *ret, struct err *err)
{
	cleanup(statement_finalize) sqlite3_stmt *s = NULL;

	if (statement_prepare(store, SCHEMA_JOB_SELECT " WHERE uid = :uid", &s, err) < 0)
		return -1;
	statement_bind_text(s, ":uid", uid);
	if (read_one(store, s, ret, err) < 0)
		return err_wrap(err, "'%s'", uid);
	return 0;
}

#define OF_NAME " WHERE name = :name AND (:cluster IS NULL OR cluster = :cluster)"

int store_find_by_name(struct store *store, const char *name, const char *cluster, struct job *ret,
		       struct err *err)
{
	cleanup(statement_finalize) sqlite3_stmt *s = NULL;

	if (statement_prepare(store, SCHEMA_JOB_SELECT OF_NAME " ORDER BY id DESC LIMIT 1", &s,
			      err) < 0)
		return -1;
	statement_bind_text(s, ":name", name);
	statement_bind_text(s, ":cluster", cluster);
	if (read_one(store, s, ret, err) < 0)
		return err_wrap(err, "'%s'", name);
	return 0;
}

int store_count_namesakes(struct store *store, const struct job *job, const char *cluster,
			  uint64_t *ret_len, uint64_t *ret_id, struct err *err)
{
	cleanup(statement_finalize) sqlite3_stmt *s = NULL;

	if (statement_prepare(store,
			      "SELECT count(*), max(id) FROM jobs" OF_NAME
			      " AND id <> :id AND state NOT IN (" SCHEMA_ENDED ")",
			      &s, err) < 0)
		return -1;
	statement_bind_text(s, ":name", job->name);
	statement_bind_text(s, ":cluster", cluster);
	statement_bind_int(s, ":id", (int64_t)job->id);
	if (sqlite3_step(s) != SQLITE_ROW)
		return statement_fail(store, err);
	*ret_len = (uint64_t)sqlite3_column_int64(s, 0);
	*ret_id = (uint64_t)sqlite3_column_int64(s, 1);
	return 0;
}

static const char *const conditions[] = {
	[STORE_ALL] = SCHEMA_JOB_SELECT " ORDER BY id",
	[STORE_OPEN] = SCHEMA_JOB_SELECT " WHERE state NOT IN (" SCHEMA_ENDED ") ORDER BY id",
	[STORE_SINCE] = SCHEMA_JOB_SELECT " WHERE state NOT IN (" SCHEMA_ENDED
					  ") OR ended_ns >= :since ORDER BY id",
	[STORE_COLLECTABLE] = SCHEMA_JOB_SELECT " WHERE collected = 0 AND state IN (" SCHEMA_ENDED
						") AND ended_ns < :since ORDER BY id",
};

int store_list(struct store *store, enum store_which which, uint64_t since_ns, struct job_list *ret,
	       struct err *err)
{
	cleanup(statement_finalize) sqlite3_stmt *s = NULL;
	cleanup(job_list_finish) struct job_list list = { 0 };
	int step;

	if (statement_prepare(store, conditions[which], &s, err) < 0)
		return -1;
	statement_bind_int(s, ":since", (int64_t)since_ns);
	while ((step = sqlite3_step(s)) == SQLITE_ROW) {
		cleanup(job_finish) struct job job = { 0 };

		read_job(s, &job);
		job_list_take(&list, &job);
	}
	if (step != SQLITE_DONE)
		return statement_fail(store, err);
	*ret = list;
	list = (struct job_list){ 0 };
	return 0;
}

/* The text of the first row, or NULL when there is none. */
static int read_text(struct store *store, sqlite3_stmt *s, char **ret, struct err *err)
{
	switch (sqlite3_step(s)) {
	case SQLITE_ROW:
		*ret = statement_take_text(s, 0);
		return 0;
	case SQLITE_DONE:
		*ret = NULL;
		return 0;
	default:
		return statement_fail(store, err);
	}
}

int store_find_busy_cluster(struct store *store, char **ret, struct err *err)
{
	cleanup(statement_finalize) sqlite3_stmt *s = NULL;

	if (statement_prepare(
		    store,
		    "SELECT cluster FROM jobs WHERE state NOT IN ('DEFINED', " SCHEMA_ENDED
		    ") ORDER BY id DESC LIMIT 1",
		    &s, err) < 0)
		return -1;
	return read_text(store, s, ret, err);
}

int store_get_note(struct store *store, const char *key, char **ret, struct err *err)
{
	cleanup(statement_finalize) sqlite3_stmt *s = NULL;

	if (statement_prepare(store, "SELECT value FROM notes WHERE key = :key", &s, err) < 0)
		return -1;
	statement_bind_text(s, ":key", key);
	return read_text(store, s, ret, err);
}

int store_put_note(struct store *store, const char *key, const char *value, struct err *err)
{
	cleanup(statement_finalize) sqlite3_stmt *s = NULL;

	if (statement_prepare(store,
			      "INSERT INTO notes (key, value) VALUES (:key, :value) "
			      "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
			      &s, err) < 0)
		return -1;
	statement_bind_text(s, ":key", key);
	statement_bind_text(s, ":value", value);
	return statement_finish(store, s, err);
}
