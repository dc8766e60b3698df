/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Copies files and trees from one SFTP server to another, many at once. Either may be in a job, or
 * this machine (server.h in the same process): so that up, down and from job to job are one code.
 * Where both are one server it copies by itself ("copy-data"), if it can.
 *
 *	walk	goes through the sources, depth first, one directory listing at a time
 *	file	up to COPY_FILES_MAX at once: opened on both sides, read and written in chunks of
 *		which COPY_CHUNKS_MAX may be under way, checked, closed, and only then named
 *
 * A file is written beside its place as ".NAME.RANDOM.berth-part" and renamed at the end, so that
 * nothing incomplete ever has the name; what fails is removed. With resume it is
 * ".NAME.berth-part", stays there when the copy breaks off, and goes on where it ended if the sums
 * of what is there are equal. What exists and is no regular file (/dev/null, a pipe) is written to
 * directly.
 *
 * Names come from the other side and are not trusted: one with a slash, "." and ".." are refused,
 * and a link that stands where a directory or an incomplete file should be is not followed. What
 * is kept of a mode never makes a program run as its owner.
 *
 * One failure does not stop the others. Each is told once (complain); the first decides the status.
 */

#include "init/base/sftp/client.h"

#define COPY_FILES_MAX 64
#define COPY_CHUNKS_MAX 64

struct copy_options {
	bool recursive;
	bool preserve; /* modes and times */
	bool resume;
	bool verify; /* compare SHA-256 of both before a file gets its name */
};

struct copy_ops {
	/* What failed: `where` is "from" or "to" side; path and *why are borrowed. */
	void (*complain)(void *user, bool is_source, const char *path, const struct err *why);
	/* A name that a user should see, for a progress line. */
	void (*began)(void *user, const char *path);
};

struct copy_config {
	struct copy_options options;
	struct sftp_client *from, *to; /* may be one: then the server copies, if it can */
	/* "-" is not known here: callers give the device, and say that it is a stream. */
	const char *const *sources;
	/* What they are called here, as the user wrote it: a job that says where "~" is has no say. */
	const char *const *names;
	size_t sources_len;
	bool source_is_stream; /* of unknown length, to be read in order */
	const char *target;
	bool target_is_stream; /* to be appended to, never replaced */
	const struct copy_ops *ops;
	void *user;
};

struct copy_totals {
	uint64_t bytes, files, failures;
	uint64_t bytes_seen; /* of files that were begun */
	enum err_kind first; /* of the first failure */
};

struct copy;

/* The configuration's strings are borrowed until copy_free(). */
struct copy *copy_new(const struct copy_config *config) attr_must_use;
struct copy *copy_free(struct copy *copy);
DEFINE_CLEANUP(struct copy, copy_free)

/* Asks for what can be asked for now; to be called after answers came. */
void copy_turn(struct copy *copy);

/* Starts nothing more, and removes what is incomplete unless it can be resumed. */
void copy_stop(struct copy *copy);

/* Everything is done, or given up. */
bool copy_is_over(const struct copy *copy);
const struct copy_totals *copy_totals(const struct copy *copy);
