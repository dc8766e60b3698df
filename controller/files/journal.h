/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a transfer through a store had done when it was interrupted, for the run that goes on with
 * it: one file each in the state directory, 0600 since presigned URLs let anybody in. Its first
 * line is a JSON object (what is copied from where to where, size and time of the source, and the
 * server's answer that began it); each line behind that is a part that arrived, with its ETag. A
 * line that broke off is as good as none.
 *
 *	cleanup(journal_close) struct journal *journal = NULL;
 *
 *	if (journal_open(dir, &id, &journal, err) < 0)
 *		return -1;
 *	if (!journal_answer(journal))	(nothing to go on with)
 *		journal_begin(journal, answer, err);
 *	...
 *	journal_note(journal, 3, etag);
 *	journal_drop(journal);		(it is done)
 */

#include <stddef.h>
#include <stdint.h>

#include "controller/model/json.h"
#include "init/base/err.h"

/* Size and time of the source tell whether it is the same file; the rest, which transfer it is. */
struct journal_id {
	const char *place; /* the cluster */
	const char *there, *here;
	bool comes_here;
	uint64_t size, mtime_s;
};

struct journal;

/*
 * There may be none yet. One of another file in this place is as good as none. ERR_EXISTS: another
 * process holds it.
 */
int journal_open(const char *dir, const struct journal_id *id, struct journal **ret,
		 struct err *err) attr_must_use;
struct journal *journal_close(struct journal *journal);
DEFINE_CLEANUP(struct journal, journal_close)

/* The answer that it was begun with, borrowed; NULL: it has not been. */
const json_t *journal_answer(const struct journal *journal);
/* The ETag of a part that arrived, or NULL. JOURNAL_WHOLE: all of them are one object now. */
#define JOURNAL_WHOLE SIZE_MAX
const char *journal_etag(const struct journal *journal, size_t part);

/* Forgets what it knew, and begins anew. */
int journal_begin(struct journal *journal, const json_t *answer, struct err *err) attr_must_use;
/* What cannot be written is done again one day. */
void journal_note(struct journal *journal, size_t part, const char *etag);
void journal_drop(struct journal *journal);

/* For whoever collects them. */
struct journal_summary {
	char *place, *here, *job;
	bool comes_here;
};

/* False: this file is none, or somebody holds it. */
bool journal_read_summary(const char *path, struct journal_summary *ret);
void journal_summary_finish(struct journal_summary *summary);
DEFINE_CLEANUP_VALUE(struct journal_summary, journal_summary_finish)
