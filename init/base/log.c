/* SPDX-License-Identifier: MIT */
/* Logging; see log.h. */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_LEN 1024

static struct {
	const char *program;
	int fd;
	enum log_level level;
	bool json;
} settings = { .program = "berth", .fd = STDERR_FILENO, .level = LOG_LEVEL_WARN };

static const char *const level_words[] = { "error", "warn", "info", "debug" };

void log_setup(const char *program, int fd, enum log_level level, enum log_format format)
{
	settings.program = program;
	settings.fd = fd;
	settings.level = level;
	settings.json = format == LOG_FORMAT_JSON || (format == LOG_FORMAT_AUTO && !isatty(fd));
}

enum log_level log_level(void)
{
	return settings.level;
}

/* Copies text with everything that could act on a terminal or break a JSON string escaped; returns
 * the length. */
static size_t escape(char *out, size_t size, const char *text)
{
	size_t len = 0;

	for (const unsigned char *p = (const unsigned char *)text; *p && len + 7 < size; p++) {
		/* C1 control characters, in UTF-8, act on a terminal as well. */
		bool is_c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;

		p += is_c1;
		if (is_c1 || *p < 0x20 || *p == 0x7f)
			len += (size_t)snprintf(out + len, size - len, "\\u%04x", *p);
		else if (settings.json && (*p == '"' || *p == '\\'))
			len += (size_t)snprintf(out + len, size - len, "\\%c", *p);
		else
			out[len++] = (char)*p;
	}
	out[len] = '\0';
	return len;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	char text[LINE_MAX_LEN], safe[LINE_MAX_LEN + 256], line[LINE_MAX_LEN + 512];
	int saved = errno, len;
	struct timespec now;
	va_list args;

	if (level > settings.level)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	escape(safe, sizeof(safe), text);
	if (settings.json) {
		struct tm tm = { 0 };

		clock_gettime(CLOCK_REALTIME, &now);
		gmtime_r(&now.tv_sec, &tm);
		len = snprintf(
			line, sizeof(line),
			"{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ\",\"level\":\"%s\","
			"\"program\":\"%s\",\"message\":\"%s\"}\n",
			tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
			tm.tm_sec, now.tv_nsec / 1000000, level_words[level], settings.program,
			safe);
	} else {
		len = snprintf(line, sizeof(line), "%s: %s\n", settings.program, safe);
	}
	if (len > 0 && write(settings.fd, line, (size_t)len) < 0)
		errno = saved; /* there is nobody left to tell */
	errno = saved;
}
