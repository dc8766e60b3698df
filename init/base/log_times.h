/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * When a log was how long. Lines of a log carry no times; whoever watches it grow notes its size
 * from time to time, and what was printed since some moment is what lies behind the size of then.
 *
 *	123 4096	a line of the file: at this second (since 1970) there were so many bytes
 *
 * Times and sizes grow from line to line. A log that is shorter than before was begun anew, and
 * what was known of it means nothing any more. There are at most LOG_TIMES_MAX notes: when there is
 * no room for one more, every second one of the older half goes, so that what is long ago is known
 * less exactly.
 */

#include "buf.h"
#include "err.h"

#define LOG_TIMES_MAX 512
#define LOG_TIMES_TEXT_MAX (64 * 1024)

struct log_time {
	uint64_t second;
	uint64_t size;
};

struct log_times {
	struct log_time items[LOG_TIMES_MAX];
	size_t len;
};

/*
 * Takes the lines of a file; a last one without its end is being written and left out. ERR_PROTOCOL
 * for what is no such file.
 */
int log_times_parse(struct span text, struct log_times *ret, struct err *err) attr_must_use;
/* All of them as lines; false when the buffer is too small. */
bool log_times_format(const struct log_times *times, struct buf *ret) attr_must_use;

enum log_times_change {
	LOG_TIMES_SAME,	    /* it has not grown */
	LOG_TIMES_APPENDED, /* there is one more note, the last one */
	LOG_TIMES_REPLACED, /* and others are gone */
};

/* The log has this size now. A clock that went back stands still here. */
enum log_times_change log_times_note(struct log_times *times, uint64_t second, uint64_t size);

/* Where what was printed since then begins, or a little before that. */
uint64_t log_times_offset(const struct log_times *times, uint64_t since);
