/* SPDX-License-Identifier: MIT */
/* When a log was how long; see log_times.h. */
#include "log_times.h"

#include <inttypes.h>
#include <string.h>

#include "macro.h"
#include "text.h"

#define LINE_MAX_SIZE 64

static int refuse(struct err *err)
{
	return err_set(err, ERR_PROTOCOL, "it is not of times and sizes");
}

static bool parse_line(const char *line, struct log_time *ret)
{
	char second[LINE_MAX_SIZE];
	size_t len = strcspn(line, " ");

	if (line[len] != ' ')
		return false;
	memcpy(second, line, len);
	second[len] = '\0';
	return text_parse_uint(second, INT64_MAX, &ret->second) &&
	       text_parse_uint(line + len + 1, INT64_MAX, &ret->size);
}

int log_times_parse(struct span text, struct log_times *ret, struct err *err)
{
	const uint8_t *end;

	ret->len = 0;
	for (; text.len > 0 && (end = memchr(text.ptr, '\n', text.len));
	     span_cut(&text, (size_t)(end - text.ptr) + 1)) {
		size_t len = (size_t)(end - text.ptr);
		char line[LINE_MAX_SIZE];
		struct log_time next;

		if (len >= sizeof(line))
			return refuse(err);
		memcpy(line, text.ptr, len);
		line[len] = '\0';
		if (strlen(line) != len || !parse_line(line, &next))
			return refuse(err);
		(void)log_times_note(ret, next.second, next.size);
	}
	return text.len < LINE_MAX_SIZE ? 0 : refuse(err);
}

bool log_times_format(const struct log_times *times, struct buf *ret)
{
	bool ok = true;

	for (size_t i = 0; ok && i < times->len; i++)
		ok = buf_printf(ret, "%" PRIu64 " %" PRIu64 "\n", times->items[i].second,
				times->items[i].size);
	return ok;
}

static void thin(struct log_times *times)
{
	size_t kept = 0;

	for (size_t i = 0; i < times->len; i++) {
		if (i >= LOG_TIMES_MAX / 2 || i % 2 == 0)
			times->items[kept++] = times->items[i];
	}
	times->len = kept;
}

enum log_times_change log_times_note(struct log_times *times, uint64_t second, uint64_t size)
{
	struct log_time *last = times->len > 0 ? &times->items[times->len - 1] : NULL;
	enum log_times_change change = LOG_TIMES_APPENDED;

	if (last ? size == last->size : size == 0)
		return LOG_TIMES_SAME;
	if (last && size < last->size) {
		times->len = 0;
		change = LOG_TIMES_REPLACED;
	} else if (last && second <= last->second) {
		/* The size of this second is the last one that it had. */
		last->size = size;
		return LOG_TIMES_REPLACED;
	} else if (times->len == LOG_TIMES_MAX) {
		thin(times);
		change = LOG_TIMES_REPLACED;
	}
	times->items[times->len++] = (struct log_time){ second, size };
	return change;
}

uint64_t log_times_offset(const struct log_times *times, uint64_t since)
{
	uint64_t offset = 0;

	for (size_t i = 0; i < times->len && times->items[i].second <= since; i++)
		offset = times->items[i].size;
	return offset;
}
