/* SPDX-License-Identifier: MIT */
/* What a copy says on standard error; see cp_progress.h. */
#include "cp_progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/text.h"

#define SHOW_MS 200

void cp_progress_init(struct cp_progress *progress, bool quiet, uint64_t now_ms)
{
	*progress =
		(struct cp_progress){ .on = !quiet && isatty(STDERR_FILENO), .began_ms = now_ms };
}

/* Names and reasons are the job's own words, perhaps. */
static void put_safe(const char *text)
{
	cleanup_free char *safe = str_dup(text);

	text_make_printable(safe);
	fputs(safe, stderr);
}

void cp_progress_name(struct cp_progress *progress, const char *path)
{
	const char *slash = strrchr(path, '/');

	snprintf(progress->name, sizeof(progress->name), "%s", slash ? slash + 1 : path);
}

static void put_size(uint64_t bytes, const char *suffix)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	double v = (double)bytes;
	size_t unit = 0;

	for (; v >= 999.5 && unit + 1 < ARRAY_LEN(units); unit++)
		v /= 1000;
	fprintf(stderr, unit ? "%.1f %s%s" : "%.0f %s%s", v, units[unit], suffix);
}

void cp_progress_show(struct cp_progress *progress, const struct copy_totals *totals,
		      uint64_t now_ms)
{
	uint64_t elapsed = now_ms - progress->began_ms;

	if (!progress->on || now_ms - progress->shown_ms < SHOW_MS || elapsed < SHOW_MS)
		return;
	cp_progress_clear(progress);
	progress->shown_ms = now_ms;
	progress->shown = true;
	put_size(totals->bytes, " of ");
	put_size(MAX(totals->bytes_seen, totals->bytes), "  ");
	put_size(totals->bytes * 1000 / elapsed, "/s  ");
	fprintf(stderr, "%llu files  ", (unsigned long long)totals->files);
	put_safe(progress->name);
	fflush(stderr);
}

void cp_progress_clear(struct cp_progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", stderr);
	progress->shown = false;
}

void cp_progress_say(const char *place, const char *text)
{
	fputs("berth: ", stderr);
	put_safe(place);
	fputs(": ", stderr);
	put_safe(text);
	fputc('\n', stderr);
}
