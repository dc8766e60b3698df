/* SPDX-License-Identifier: MIT */
/* A bar for work that takes long; see progress.h. */
#include "progress.h"

#include <string.h>

#include "controller/output/runs.h"
#include "init/base/macro.h"

#define INTERVAL_NS (100 * NSEC_PER_MSEC)
#define BAR_MAX 30
#define LINE_SIZE 512
/* Back to the start of the line, and nothing behind it (ECMA-48 EL). */
#define CLEAR_LINE "\r\033[K"

static void draw(const struct progress_bar *bar, uint64_t done, uint64_t total, uint64_t now_ns)
{
	uint64_t spent_ns = now_ns - bar->started_ns;
	char at[32], all[32], rate[32] = "", line[LINE_SIZE], marks[BAR_MAX + 1];
	size_t full = (size_t)((double)done / (double)total * BAR_MAX);

	memset(marks, '.', BAR_MAX);
	memset(marks, '#', MIN(full, (size_t)BAR_MAX));
	marks[BAR_MAX] = '\0';
	output_format_size(done, at, sizeof(at));
	output_format_size(total, all, sizeof(all));
	if (spent_ns > 0)
		output_format_size(
			(uint64_t)((double)done * (double)NSEC_PER_SEC / (double)spent_ns), rate,
			sizeof(rate));
	snprintf(line, sizeof(line), "[%s] %3u%% %s/%s%s%s%s %s", marks,
		 (unsigned int)((double)done * 100 / (double)total), at[0] ? at : "0", all,
		 rate[0] ? ", " : "", rate, rate[0] ? "/s" : "", bar->what);
	/* A line that is longer than the terminal's would not be drawn over by the next. */
	fprintf(bar->out, CLEAR_LINE "%.*s", (int)(bar->width > 1 ? bar->width - 1 : 79), line);
	fflush(bar->out);
}

void output_progress(struct progress_bar *bar, uint64_t done, uint64_t total, uint64_t now_ns)
{
	if (bar->started_ns == 0)
		bar->started_ns = now_ns;
	if (done >= total) {
		fputs(CLEAR_LINE, bar->out);
		fflush(bar->out);
		bar->started_ns = bar->drawn_ns = 0;
	} else if (bar->drawn_ns == 0 || now_ns - bar->drawn_ns >= INTERVAL_NS) {
		draw(bar, done, total, now_ns);
		bar->drawn_ns = now_ns;
	}
}
