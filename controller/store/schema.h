/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The tables, and the statements that follow from the list of columns. To add a column: name it in
 * one of the two lists (it is the member of struct job with the same name), append a migration with
 * ALTER TABLE to schema.c, and count SCHEMA_VERSION up. Migrations that exist are never changed.
 */

#define SCHEMA_VERSION 7

/* schema_migrations[n] leads from version n to version n + 1, and sets it. */
extern const char *const schema_migrations[SCHEMA_VERSION];

#define SCHEMA_JOB_TEXTS(X) \
	X(uid)              \
	X(name)             \
	X(backend)          \
	X(native_id)        \
	X(directory)        \
	X(command)          \
	X(native_state)     \
	X(reason)           \
	X(queue)            \
	X(jobset)           \
	X(user)             \
	X(node_list)        \
	X(cluster)          \
	X(array)            \
	X(origin)

#define SCHEMA_JOB_NUMBERS(X) \
	X(exit_code)          \
	X(signal)             \
	X(created_ns)         \
	X(started_ns)         \
	X(ended_ns)           \
	X(seen_ns)            \
	X(nodes)              \
	X(tasks)              \
	X(attempts)           \
	X(expires_ns)         \
	X(cancel_requested)   \
	X(collected)

#define SCHEMA_NAME(name) ", " #name
#define SCHEMA_PARAMETER(name) ", :" #name

#define SCHEMA_JOB_SELECT                                \
	"SELECT id, state" SCHEMA_JOB_TEXTS(SCHEMA_NAME) \
		SCHEMA_JOB_NUMBERS(SCHEMA_NAME) " FROM jobs"

#define SCHEMA_JOB_INSERT                                                           \
	"INSERT INTO jobs (state" SCHEMA_JOB_TEXTS(SCHEMA_NAME) SCHEMA_JOB_NUMBERS( \
		SCHEMA_NAME) ") VALUES (:state" SCHEMA_JOB_TEXTS(SCHEMA_PARAMETER)  \
		SCHEMA_JOB_NUMBERS(SCHEMA_PARAMETER) ")"

/* The states of which job_state_is_ended() is true, as SQL. */
#define SCHEMA_ENDED "'SUCCEEDED', 'FAILED', 'TIMEOUT', 'CANCELLED', 'PREEMPTED'"

#define SCHEMA_JOB_UPDATE                                                                      \
	"UPDATE jobs SET state = :state, native_id = :native_id, native_state = "              \
	":native_state, reason = :reason, exit_code = :exit_code, signal = :signal, "          \
	"started_ns = :started_ns, ended_ns = :ended_ns, seen_ns = :seen_ns, queue = :queue, " \
	"node_list = :node_list, attempts = :attempts, expires_ns = :expires_ns "              \
	"WHERE id = :id "                                                                      \
	"AND state NOT IN (" SCHEMA_ENDED ")"
