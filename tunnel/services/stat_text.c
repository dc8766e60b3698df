/* SPDX-License-Identifier: MIT */
/* Texts of the kernel and of nvidia-smi; see stat_text.h. */
#include "stat_text.h"

#include <limits.h>

#define MIB (UINT64_C(1024) * 1024)

/* Cuts off everything before the separator, and the separator; the rest when there is none. */
static struct span cut_until(struct span *text, char separator)
{
	const uint8_t *end = text->len ? memchr(text->ptr, separator, text->len) : NULL;
	struct span part = span_cut(text, end ? (size_t)(end - text->ptr) : text->len);

	if (end)
		span_cut(text, 1);
	return part;
}

static struct span trim(struct span s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		span_cut(&s, 1);
	while (s.len > 0 && strchr(" \t\r\n", s.ptr[s.len - 1]) && s.ptr[s.len - 1])
		s.len--;
	return s;
}

/* Decimal, the whole of it. */
static bool parse_uint(struct span s, uint64_t *ret)
{
	uint64_t value = 0;

	if (s.len == 0 || s.len > 20)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		uint64_t digit = (uint64_t)s.ptr[i] - '0';

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*ret = value;
	return true;
}

static bool parse_pid(struct span s, pid_t *ret)
{
	uint64_t value;

	if (!parse_uint(s, &value) || value > INT_MAX)
		return false;
	*ret = (pid_t)value;
	return true;
}

/* What is counted in signed numbers may come out negative while it changes. */
static uint64_t parse_count(struct span s)
{
	uint64_t value;

	return parse_uint(s, &value) ? value : 0;
}

static uint64_t add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

bool stat_parse_process(struct span text, struct stat_process *ret)
{
	/* Of the fields behind the name, from 3 on: state, parent, and what is read below. */
	enum { STATE = 3, PARENT = 4, CPU_FIRST = 14, CPU_LAST = 17, THREADS = 20, RSS = 24 };
	struct stat_process process = { 0 };
	struct span pid = cut_until(&text, ' ');
	size_t close = text.len;

	/* The name is in brackets and may have brackets in it: the last one counts. */
	while (close > 0 && text.ptr[close - 1] != ')')
		close--;
	if (close == 0 || close + 1 >= text.len || !parse_pid(pid, &process.pid))
		return false;
	span_cut(&text, close + 1);
	for (int field = STATE; field <= RSS; field++) {
		struct span value = trim(cut_until(&text, ' '));

		if (value.len == 0)
			return false;
		if (field == STATE)
			process.state = (char)value.ptr[0];
		else if (field == PARENT && !parse_pid(value, &process.parent))
			return false;
		else if (field >= CPU_FIRST && field <= CPU_LAST)
			process.cpu_ticks = add(process.cpu_ticks, parse_count(value));
		else if (field == THREADS)
			process.threads = parse_count(value);
		else if (field == RSS)
			process.rss_pages = parse_count(value);
	}
	*ret = process;
	return true;
}

bool stat_parse_number(struct span text, uint64_t *ret)
{
	struct span value = trim(text);

	if (span_equal_str(value, "max")) {
		*ret = UINT64_MAX;
		return true;
	}
	return parse_uint(value, ret);
}

bool stat_parse_member(struct span text, const char *key, uint64_t *ret)
{
	size_t len = strlen(key);

	while (text.len > 0) {
		struct span line = cut_until(&text, '\n');

		if (line.len <= len || memcmp(line.ptr, key, len) != 0)
			continue;
		span_cut(&line, len);
		if (line.ptr[0] == ':')
			span_cut(&line, 1);
		else if (line.ptr[0] != ' ')
			continue;
		return parse_uint(trim(line), ret);
	}
	return false;
}

/* "8:0 rbytes=1 wbytes=2 rios=3", or "8:0 Read 1" and "8:0 Write 2". */
static void add_io(struct span word, struct span next, uint64_t *read, uint64_t *written)
{
	struct span name = cut_until(&word, '=');

	if (span_equal_str(name, "rbytes"))
		*read = add(*read, parse_count(word));
	else if (span_equal_str(name, "wbytes"))
		*written = add(*written, parse_count(word));
	else if (span_equal_str(name, "Read"))
		*read = add(*read, parse_count(next));
	else if (span_equal_str(name, "Write"))
		*written = add(*written, parse_count(next));
}

void stat_parse_io(struct span text, uint64_t *ret_read, uint64_t *ret_written)
{
	*ret_read = *ret_written = 0;
	while (text.len > 0) {
		struct span line = cut_until(&text, '\n');

		cut_until(&line, ' '); /* the device */
		while (line.len > 0) {
			struct span word = cut_until(&line, ' '), rest = line;

			add_io(word, cut_until(&rest, ' '), ret_read, ret_written);
		}
	}
}

/* Whether one of the names between commas is the given one. */
static bool has_name(struct span names, const char *name)
{
	while (names.len > 0) {
		if (span_equal_str(cut_until(&names, ','), name))
			return true;
	}
	return false;
}

bool stat_parse_cgroup(struct span text, const char *controller, struct span *ret)
{
	while (text.len > 0) {
		struct span line = cut_until(&text, '\n');
		struct span id = cut_until(&line, ':'), names = cut_until(&line, ':');

		if (line.len == 0 || line.ptr[0] != '/' || memchr(line.ptr, '\0', line.len))
			continue;
		if (controller ? has_name(names, controller)
			       : span_equal_str(id, "0") && names.len == 0) {
			*ret = line;
			return true;
		}
	}
	return false;
}

static bool parse_gpu(struct span line, struct stat_gpu *ret)
{
	struct span index = trim(cut_until(&line, ',')), name = trim(cut_until(&line, ','));
	struct span percent = trim(cut_until(&line, ','));
	uint64_t number, used, total;

	if (!parse_uint(index, &number) || number > UINT16_MAX || name.len == 0)
		return false;
	*ret = (struct stat_gpu){ .index = (unsigned int)number, .percent = -1 };
	name.len = MIN(name.len, sizeof(ret->name) - 1);
	for (size_t i = 0; i < name.len; i++)
		ret->name[i] =
			(char)(name.ptr[i] < 0x20 || name.ptr[i] >= 0x7f ? '?' : name.ptr[i]);
	if (parse_uint(percent, &number) && number <= 100)
		ret->percent = (int)number;
	if (parse_uint(trim(cut_until(&line, ',')), &used) && parse_uint(trim(line), &total) &&
	    total < UINT64_MAX / MIB && used <= total) {
		ret->used = used * MIB;
		ret->total = total * MIB;
	}
	return true;
}

bool stat_next_gpu(struct span *text, struct stat_gpu *ret)
{
	while (text->len > 0) {
		if (parse_gpu(cut_until(text, '\n'), ret))
			return true;
	}
	return false;
}

bool stat_query(const char *path, const char *name, struct span *ret)
{
	const char *mark = strchr(path, '?');
	struct span query = mark ? span_of_str(mark + 1) : (struct span){ 0 };

	while (query.len > 0) {
		struct span value = cut_until(&query, '&');

		if (span_equal_str(cut_until(&value, '='), name)) {
			*ret = value;
			return true;
		}
	}
	return false;
}
