/* SPDX-License-Identifier: MIT */
/* Runs of jobs in the database; see store.h. */
#include "controller/store/statement.h"

#define RUN_TEXTS(X) X(native_state) X(reason) X(node_list)
#define RUN_NUMBERS(X) \
	X(exit_code)   \
	X(signal)      \
	X(started_ns)  \
	X(ended_ns)    \
	X(max_rss)     \
	X(cpu_ns)

#define NAME(name) ", " #name
#define PARAMETER(name) ", :" #name

#define SELECT "SELECT task, attempt, state" RUN_TEXTS(NAME) RUN_NUMBERS(NAME) " FROM runs"

/* A task that waited has attempt 0, which is forgotten once it starts. */
static const char *const selections[] = {
	[false] = SELECT " WHERE job = :id ORDER BY task, attempt",
	[true] = SELECT " AS r WHERE job = :id AND attempt = (SELECT max(attempt) FROM runs WHERE "
			"job = :id AND task = r.task) ORDER BY task",
};

static const char save[] = "INSERT OR REPLACE INTO runs (job, task, attempt, state" RUN_TEXTS(NAME)
	RUN_NUMBERS(NAME) ") VALUES (:job, :task, :attempt, :state" RUN_TEXTS(PARAMETER)
		RUN_NUMBERS(PARAMETER) ")";

static void read_run(sqlite3_stmt *s, struct run_list *list)
{
	struct run *run = run_list_add(list, (uint64_t)sqlite3_column_int64(s, 0));
	cleanup_free char *state = statement_take_text(s, 2);
	int column = 3;

	run->attempt = (uint64_t)sqlite3_column_int64(s, 1);
	run->state = job_state_parse(state);
#define X(name)          \
	free(run->name); \
	run->name = statement_take_text(s, column++);
	RUN_TEXTS(X)
#undef X
#define X(name) run->name = (__typeof__(run->name))sqlite3_column_int64(s, column++);
	RUN_NUMBERS(X)
#undef X
}

int store_list_runs(struct store *store, uint64_t id, bool newest, struct run_list *ret,
		    struct err *err)
{
	cleanup(statement_finalize) sqlite3_stmt *s = NULL;
	cleanup(run_list_finish) struct run_list list = { 0 };
	int step;

	if (statement_prepare(store, selections[newest], &s, err) < 0)
		return -1;
	statement_bind_int(s, ":id", (int64_t)id);
	while ((step = sqlite3_step(s)) == SQLITE_ROW)
		read_run(s, &list);
	if (step != SQLITE_DONE)
		return statement_fail(store, err);
	*ret = list;
	list = (struct run_list){ 0 };
	return 0;
}

static int save_run(struct store *store, uint64_t id, const struct run *run, struct err *err)
{
	int result;

	if (statement_keep(store, save, &store->save_run, err) < 0)
		return -1;
	statement_bind_int(store->save_run, ":job", (int64_t)id);
	statement_bind_int(store->save_run, ":task", (int64_t)run->task);
	statement_bind_int(store->save_run, ":attempt", (int64_t)run->attempt);
	statement_bind_text(store->save_run, ":state", job_state_word(run->state));
#define X(name) statement_bind_text(store->save_run, ":" #name, run->name);
	RUN_TEXTS(X)
#undef X
#define X(name) statement_bind_int(store->save_run, ":" #name, (int64_t)run->name);
	RUN_NUMBERS(X)
#undef X
	result = statement_finish(store, store->save_run, err);
	sqlite3_reset(store->save_run);
	sqlite3_clear_bindings(store->save_run);
	return result;
}

static int forget_waiting(struct store *store, uint64_t id, struct err *err)
{
	cleanup(statement_finalize) sqlite3_stmt *s = NULL;

	if (statement_prepare(
		    store,
		    "DELETE FROM runs WHERE job = :id AND attempt = 0 AND EXISTS (SELECT 1 "
		    "FROM runs AS r WHERE r.job = :id AND r.task = runs.task AND "
		    "r.attempt > 0)",
		    &s, err) < 0)
		return -1;
	statement_bind_int(s, ":id", (int64_t)id);
	return statement_finish(store, s, err);
}

int store_save_runs(struct store *store, uint64_t id, struct run_list *runs, struct err *err)
{
	size_t saved = 0;

	for (size_t i = 0; i < runs->len; i++) {
		if (!runs->items[i].has_changed)
			continue;
		if (save_run(store, id, &runs->items[i], err) < 0)
			return -1;
		runs->items[i].has_changed = false;
		saved++;
	}
	return saved > 0 ? forget_waiting(store, id, err) : 0;
}
