/* SPDX-License-Identifier: MIT */
/* A small printf; see format.h. */
#include "format.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The digits of 2^64 in base ten. */
#define DIGITS_MAX 20

struct output {
	struct format_sink *sink;
	size_t len;
};

/* One conversion: what stands between "%" and its letter. */
struct conversion {
	bool left, zeros;
	int width, precision; /* -1: none */
	int longs;	      /* 0: int, 1 or more: 64 bits */
};

static void put(struct output *o, const char *bytes, size_t len)
{
	if (len > 0)
		o->sink->put(o->sink, bytes, len);
	o->len += len;
}

static void pad(struct output *o, char with, long count)
{
	while (count-- > 0)
		put(o, &with, 1);
}

static void put_padded(struct output *o, const struct conversion *c, const char *bytes, size_t len)
{
	long room = c->width - (long)len;

	if (!c->left)
		pad(o, ' ', room);
	put(o, bytes, len);
	if (c->left)
		pad(o, ' ', room);
}

static void put_number(struct output *o, struct conversion *c, uint64_t value, unsigned int base,
		       bool negative)
{
	char text[DIGITS_MAX + 1];
	size_t at = sizeof(text);

	do
		text[--at] = "0123456789abcdef"[value % base];
	while ((value /= base) > 0);
	if (c->zeros && !c->left) {
		if (negative)
			put(o, "-", 1);
		pad(o, '0', c->width - negative - (long)(sizeof(text) - at));
		c->width = 0;
	} else if (negative) {
		text[--at] = '-';
	}
	put_padded(o, c, text + at, sizeof(text) - at);
}

static int read_count(const char **at, va_list *args)
{
	int count = 0;

	if (**at == '*') {
		++*at;
		return va_arg(*args, int);
	}
	for (; **at >= '0' && **at <= '9'; ++*at)
		count = count * 10 + (**at - '0');
	return count;
}

static struct conversion read_conversion(const char **at, va_list *args)
{
	struct conversion c = { .precision = -1 };

	for (; **at == '-' || **at == '0'; ++*at) {
		c.left |= **at == '-';
		c.zeros |= **at == '0';
	}
	c.width = read_count(at, args);
	if (c.width < 0) {
		c.left = true;
		c.width = -c.width;
	}
	if (**at == '.') {
		++*at;
		c.precision = read_count(at, args);
	}
	for (; **at == 'l' || **at == 'z'; ++*at)
		c.longs++;
	return c;
}

static void put_signed(struct output *o, struct conversion *c, va_list *args)
{
	int64_t value = c->longs ? va_arg(*args, int64_t) : va_arg(*args, int);

	put_number(o, c, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, value < 0);
}

static void put_unsigned(struct output *o, struct conversion *c, va_list *args, unsigned int base)
{
	put_number(o, c, c->longs ? va_arg(*args, uint64_t) : va_arg(*args, unsigned int), base,
		   false);
}

static void put_string(struct output *o, const struct conversion *c, const char *text)
{
	put_padded(o, c, text,
		   c->precision < 0 ? strlen(text) : strnlen(text, (size_t)c->precision));
}

/* The letter of a conversion; false when it is none that is known. */
static bool convert(struct output *o, char letter, struct conversion *c, va_list *args)
{
	if (letter == 'd' || letter == 'i') {
		put_signed(o, c, args);
	} else if (letter == 'u' || letter == 'x') {
		put_unsigned(o, c, args, letter == 'u' ? 10 : 16);
	} else if (letter == 's') {
		put_string(o, c, va_arg(*args, const char *));
	} else if (letter == 'c') {
		char one = (char)va_arg(*args, int);

		put_padded(o, c, &one, 1);
	} else if (letter == '%') {
		put(o, "%", 1);
	} else {
		return false;
	}
	return true;
}

size_t format_text(struct format_sink *sink, const char *fmt, va_list args)
{
	struct output o = { .sink = sink };
	va_list own;

	va_copy(own, args);
	while (*fmt) {
		const char *percent = strchrnul(fmt, '%'), *at = percent + 1;
		struct conversion c;

		put(&o, fmt, (size_t)(percent - fmt));
		if (*percent == '\0')
			break;
		c = read_conversion(&at, &own);
		if (!convert(&o, *at, &c, &own)) {
			put(&o, percent, strlen(percent));
			break;
		}
		fmt = at + 1;
	}
	va_end(own);
	return o.len;
}
