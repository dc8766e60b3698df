/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a copy says on standard error: complaints, one line each, and on a terminal a line that is
 * written over: how much, how fast, what. Names come from the other side: what is not printable is
 * shown as '?'.
 */

#include "tunnel/sftp/copy.h"

struct cp_progress {
	bool on, shown;
	uint64_t began_ms, shown_ms;
	char name[64];
};

void cp_progress_init(struct cp_progress *progress, bool quiet, uint64_t now_ms);
void cp_progress_name(struct cp_progress *progress, const char *path);
/* Five times a second at most. */
void cp_progress_show(struct cp_progress *progress, const struct copy_totals *totals,
		      uint64_t now_ms);
void cp_progress_clear(struct cp_progress *progress);

/* "berth: PLACE: TEXT" */
void cp_progress_say(const char *place, const char *text);
