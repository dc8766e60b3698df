/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A file on its way: what its states (copy_file.c) and its bytes (copy_data.c) share. In each state
 * requests are under way; when the last is answered, the next state begins. COPY_COPYING goes on by
 * itself: copy_data_more() asks for more as long as there is room, and says when all is written.
 */

#include "copy_internal.h"

#define COPY_SUM_LEN 32

enum copy_state {
	COPY_OPENING,
	COPY_SIZING,	 /* resume: how much is there */
	COPY_CHECKING,	 /* resume: is it the same */
	COPY_TRUNCATING, /* resume: it is not */
	COPY_COPYING,
	COPY_VERIFYING,
	COPY_SETTING, /* mode and times */
	COPY_CLOSING,
	COPY_NAMING,
	COPY_REMOVING, /* what failed */
	COPY_DONE,
};

struct copy_handle {
	uint8_t bytes[SFTP_HANDLE_MAX];
	size_t len; /* 0: not open */
};

struct copy_file {
	struct copy *copy;
	struct copy_dir *dir;
	struct copy_file *next, **link;
	char *from, *to;
	char *part; /* NULL: to is written to directly */
	struct sftp_attrs attrs;
	enum copy_state state;
	unsigned int waiting; /* requests under way */
	struct copy_handle from_handle, to_handle;
	bool failed, made; /* made: there is a part of ours */
	bool sequential;   /* of unknown length: the next read waits for the one before */
	bool reading;
	uint64_t at, end; /* of reading */
	uint64_t there;	  /* in the part, when resuming */
	uint64_t copied;  /* up to here */
	uint64_t sum_at, sum_end;
	uint8_t sums[2][COPY_SUM_LEN];
};

/* The first failure is told, and decides what follows when nothing is under way any more. */
void copy_file_fail(struct copy_file *f, bool is_source, const struct err *why);
/* Every answer to a request that was counted in f->waiting ends here; f may be gone afterwards. */
void copy_file_answered(struct copy_file *f);
struct span copy_file_handle(const struct copy_file *f, bool is_source);

/* Asks for more. True: there is no more, and all that was asked for is written, or it failed. */
bool copy_data_more(struct copy_file *f);
