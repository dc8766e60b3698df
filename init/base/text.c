/* SPDX-License-Identifier: MIT */
/* Numbers, durations and binary data as text; see text.h. */
#include "text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define DISTANCE_WORD_MAX 31

/* Reads digits at *s, at most max; moves *s past them. */
static bool take_digits(const char **s, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;
	const char *p = *s;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		uint64_t digit = (uint64_t)(*p - '0');

		if (value > (max - digit) / 10 || digit > max)
			return false;
		value = value * 10 + digit;
	}
	*s = p;
	*ret = value;
	return true;
}

bool text_parse_uint(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t value;

	if (!take_digits(&s, max, &value) || *s != '\0')
		return false;
	*ret = value;
	return true;
}

static const struct {
	const char *name;
	uint64_t ns;
} duration_units[] = {
	{ "ms", NSEC_PER_MSEC },      { "s", NSEC_PER_SEC },	     { "m", 60 * NSEC_PER_SEC },
	{ "h", 3600 * NSEC_PER_SEC }, { "d", 86400 * NSEC_PER_SEC },
};

bool text_parse_duration(const char *s, uint64_t *ret_ns)
{
	uint64_t total = 0, value;

	if (text_parse_uint(s, UINT64_MAX / NSEC_PER_SEC, &value)) {
		*ret_ns = value * NSEC_PER_SEC;
		return true;
	}
	do {
		size_t i, len = 0;

		if (!take_digits(&s, UINT64_MAX, &value))
			return false;
		while (s[len] >= 'a' && s[len] <= 'z')
			len++;
		for (i = 0; i < ARRAY_LEN(duration_units); i++) {
			if (strlen(duration_units[i].name) == len &&
			    memcmp(s, duration_units[i].name, len) == 0)
				break;
		}
		if (i == ARRAY_LEN(duration_units) ||
		    __builtin_mul_overflow(value, duration_units[i].ns, &value) ||
		    __builtin_add_overflow(total, value, &total))
			return false;
		s += len;
	} while (*s != '\0');
	*ret_ns = total;
	return true;
}

bool text_parse_size(const char *s, uint64_t *ret_bytes)
{
	static const char letters[] = "KMGT";
	const char *letter;
	uint64_t value;

	if (!take_digits(&s, UINT64_MAX, &value))
		return false;
	letter = *s ? strchr(letters, *s & ~0x20) : NULL;
	if (letter) {
		if (__builtin_mul_overflow(value, UINT64_C(1) << (10 * (letter - letters + 1)),
					   &value))
			return false;
		s++;
		if (s[0] == 'i' && s[1] == 'B')
			s++;
	}
	if (*s == 'B')
		s++;
	if (*s != '\0')
		return false;
	*ret_bytes = value;
	return true;
}

size_t text_format_uint(uint64_t n, char out[TEXT_UINT_SIZE])
{
	char digits[TEXT_UINT_SIZE];
	size_t len = 0;

	do
		digits[len++] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	for (size_t i = 0; i < len; i++)
		out[i] = digits[len - 1 - i];
	out[len] = '\0';
	return len;
}

void text_format_duration(uint64_t ns, char *out, size_t size)
{
	static const struct {
		uint64_t seconds;
		char letter;
	} units[] = { { 1, 's' }, { 60, 'm' }, { 3600, 'h' }, { 86400, 'd' } };
	char text[TEXT_UINT_SIZE + sizeof("d00h")];
	uint64_t s = ns / NSEC_PER_SEC, rest;
	size_t unit = 0, len;

	while (unit + 1 < ARRAY_LEN(units) && s >= units[unit + 1].seconds)
		unit++;
	len = text_format_uint(s / units[unit].seconds, text);
	text[len++] = units[unit].letter;
	if (unit > 0) {
		rest = s % units[unit].seconds / units[unit - 1].seconds;
		text[len++] = (char)('0' + rest / 10);
		text[len++] = (char)('0' + rest % 10);
		text[len++] = units[unit - 1].letter;
	}
	len = MIN(len, size - 1);
	memcpy(out, text, len);
	out[len] = '\0';
}

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void text_base64(struct span in, char *out, size_t size)
{
	assert(size >= TEXT_BASE64_SIZE(in.len));
	while (in.len > 0) {
		struct span three = span_cut(&in, MIN(in.len, (size_t)3));
		uint32_t bits = (uint32_t)three.ptr[0] << 16;

		if (three.len > 1)
			bits |= (uint32_t)three.ptr[1] << 8;
		if (three.len > 2)
			bits |= three.ptr[2];
		*out++ = base64_digits[bits >> 18];
		*out++ = base64_digits[bits >> 12 & 63];
		*out++ = three.len > 1 ? base64_digits[bits >> 6 & 63] : '=';
		*out++ = three.len > 2 ? base64_digits[bits & 63] : '=';
	}
	*out = '\0';
}

bool text_parse_base64(const char *s, uint8_t *ret, size_t len)
{
	size_t digits = (len * 8 + 5) / 6, padded = TEXT_BASE64_SIZE(len) - 1;
	uint32_t bits = 0;
	unsigned int held = 0;

	if (strlen(s) != padded)
		return false;
	for (size_t i = 0; i < padded; i++) {
		if (i >= digits ? s[i] != '=' : !strchr(base64_digits, s[i]))
			return false;
	}
	for (size_t i = 0; i < digits; i++) {
		bits = bits << 6 | (uint32_t)(strchr(base64_digits, s[i]) - base64_digits);
		held += 6;
		if (held >= 8) {
			held -= 8;
			*ret++ = (uint8_t)(bits >> held);
		}
	}
	/* Bits that no byte uses must be zero, or two texts would mean the same bytes. */
	return (bits & ((1U << held) - 1)) == 0;
}

void text_hex(struct span in, char *out, size_t size)
{
	assert(size > 2 * in.len);
	for (size_t i = 0; i < in.len; i++)
		snprintf(out + 2 * i, 3, "%02x", in.ptr[i]);
	out[2 * in.len] = '\0';
}

/* Length of the UTF-8 sequence at s (RFC 3629), or 0 when it is not one. */
static size_t utf8_len(const unsigned char *s)
{
	static const struct {
		unsigned char mask, value, second_min, second_max, len;
	} forms[] = {
		{ 0x80, 0x00, 0, 0xff, 1 },    { 0xff, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xff, 0xed, 0x80, 0x9f, 3 }, { 0xf0, 0xe0, 0x80, 0xbf, 3 },
		{ 0xff, 0xf0, 0x90, 0xbf, 4 }, { 0xff, 0xf4, 0x80, 0x8f, 4 },
	};

	if (*s >= 0xc2 && *s <= 0xdf)
		return (s[1] & 0xc0) == 0x80 ? 2 : 0;
	if (*s >= 0xf1 && *s <= 0xf3)
		return (s[1] & 0xc0) == 0x80 && (s[2] & 0xc0) == 0x80 && (s[3] & 0xc0) == 0x80 ? 4
											       : 0;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if ((*s & forms[i].mask) != forms[i].value)
			continue;
		if (forms[i].len == 1)
			return 1;
		if (s[1] < forms[i].second_min || s[1] > forms[i].second_max ||
		    (s[2] & 0xc0) != 0x80)
			return 0;
		return forms[i].len == 3 || (s[3] & 0xc0) == 0x80 ? forms[i].len : 0;
	}
	return 0;
}

size_t text_utf8_len(struct span text)
{
	size_t at = 0;

	while (at < text.len) {
		unsigned char next[4] = { 0 };
		size_t len;

		memcpy(next, text.ptr + at, MIN(sizeof(next), text.len - at));
		len = utf8_len(next);
		if (len == 0)
			break;
		at += len;
	}
	return at;
}

bool text_append_json(struct buf *b, const char *s)
{
	const unsigned char *p = (const unsigned char *)s;

	while (*p) {
		size_t len = utf8_len(p);
		bool ok;

		if (len == 0) {
			ok = buf_append(b, "\\ufffd", 6);
			len = 1;
		} else if (*p == '"' || *p == '\\') {
			ok = buf_printf(b, "\\%c", *p);
		} else if (*p < 0x20 || *p == 0x7f) {
			ok = buf_printf(b, "\\u%04x", *p);
		} else {
			ok = buf_append(b, p, len);
		}
		if (!ok)
			return false;
		p += len;
	}
	return true;
}

bool text_append_percent(struct buf *b, const char *s)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

	for (; *s; s++) {
		if (strchr(plain, *s) ? !buf_append_u8(b, (uint8_t)*s)
				      : !buf_printf(b, "%%%02X", (unsigned char)*s))
			return false;
	}
	return true;
}

void text_make_printable(char *s)
{
	for (unsigned char *p = (unsigned char *)s; *p; p++) {
		bool is_c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;

		if (is_c1)
			*p++ = '?';
		if (is_c1 || *p < ' ' || *p == 0x7f)
			*p = '?';
	}
}

bool text_append_shell(struct buf *b, const char *s)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";

	if (*s && s[strspn(s, plain)] == '\0')
		return buf_append(b, s, strlen(s));
	if (!buf_append_u8(b, '\''))
		return false;
	for (; *s; s++) {
		if (*s == '\'' ? !buf_append(b, "'\\''", 4) : !buf_append_u8(b, (uint8_t)*s))
			return false;
		/* CR LF is the end of a line to some, sbatch among them, also between quotes. */
		if (s[0] == '\r' && s[1] == '\n' && !buf_append(b, "''", 2))
			return false;
	}
	return buf_append_u8(b, '\'');
}

unsigned int text_distance(const char *a, const char *b)
{
	unsigned int row[DISTANCE_WORD_MAX + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > DISTANCE_WORD_MAX || lb > DISTANCE_WORD_MAX)
		return DISTANCE_WORD_MAX;
	for (unsigned int j = 0; j <= lb; j++)
		row[j] = j;
	for (unsigned int i = 1; i <= la; i++) {
		unsigned int diagonal = row[0];

		row[0] = i;
		for (unsigned int j = 1; j <= lb; j++) {
			unsigned int above = row[j], best = MIN(row[j - 1], above) + 1;

			row[j] = MIN(best, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[lb];
}
