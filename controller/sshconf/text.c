/* SPDX-License-Identifier: MIT */
/* Text of ssh_config(5); see text.h. */
#include "text.h"

#include <string.h>
#include <strings.h>

#include "controller/sshconf/sshconf.h"

#define KEYWORD_END " \t\r\n=\"#"

/* The patterns that lead to our files; "~" and relative ones mean ~/.ssh. */
static const char *const patterns[] = { "berth/*.conf", "~/.ssh/berth/*.conf" };

static struct span next_line(struct span *rest)
{
	const uint8_t *newline = memchr(rest->ptr, '\n', rest->len);

	return span_cut(rest, newline ? (size_t)(newline - rest->ptr) + 1 : rest->len);
}

static void skip(struct span *s, const char *characters)
{
	while (s->len > 0 && strchr(characters, s->ptr[0]))
		span_cut(s, 1);
}

/* The next word of a line: a run without blanks, or what stands between quotes. */
static struct span next_word(struct span *line)
{
	struct span word = { .ptr = line->ptr, .len = 0 };
	bool quoted;

	skip(line, " \t\r\n");
	quoted = line->len > 0 && line->ptr[0] == '"';
	if (quoted)
		span_cut(line, 1);
	word.ptr = line->ptr;
	while (line->len > 0 && !strchr(quoted ? "\"\r\n" : " \t\r\n", line->ptr[0])) {
		span_cut(line, 1);
		word.len++;
	}
	if (quoted && line->len > 0)
		span_cut(line, 1);
	return word;
}

/* A line is "keyword arguments" or "keyword=arguments". */
static struct span take_keyword(struct span *line)
{
	struct span word;

	skip(line, " \t\r\n");
	word = (struct span){ .ptr = line->ptr, .len = 0 };
	while (line->len > 0 && !strchr(KEYWORD_END, line->ptr[0])) {
		span_cut(line, 1);
		word.len++;
	}
	skip(line, " \t");
	if (line->len > 0 && line->ptr[0] == '=')
		span_cut(line, 1);
	return word;
}

static bool is_keyword(struct span word, const char *keyword)
{
	return word.len == strlen(keyword) &&
	       strncasecmp((const char *)word.ptr, keyword, word.len) == 0;
}

static bool names_us(struct span line)
{
	struct span word;

	while ((word = next_word(&line)).len > 0) {
		for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
			if (span_equal_str(word, patterns[i]))
				return true;
		}
	}
	return false;
}

enum text_include text_find_include(struct span config)
{
	enum text_include found = TEXT_INCLUDE_MISSING;
	bool conditional = false;

	if (config.len > 0 && memchr(config.ptr, '\0', config.len))
		return TEXT_NOT_TEXT;
	while (config.len > 0) {
		struct span line = next_line(&config);
		struct span keyword = take_keyword(&line);

		if (is_keyword(keyword, "host") || is_keyword(keyword, "match"))
			conditional = true;
		else if (is_keyword(keyword, "include") && !conditional && names_us(line))
			found = TEXT_INCLUDE_PRESENT;
	}
	return found;
}

int text_add_include(struct span config, struct buf *ret, struct err *err)
{
	const uint8_t *newline = config.len ? memchr(config.ptr, '\n', config.len) : NULL;
	bool crlf = newline && newline > config.ptr && newline[-1] == '\r';

	if (!buf_printf(ret, "%s%s", SSHCONF_INCLUDE, crlf ? "\r\n" : "\n") ||
	    !buf_append_span(ret, config))
		return err_set(err, ERR_LIMIT, "the file is too large");
	return 0;
}
