/* SPDX-License-Identifier: MIT */
/* Names of requests that act once; see once.h. */
#include "tunnel/h3/once.h"

#include <stdlib.h>

#include "init/base/alloc.h"
#include "init/base/text.h"
#include "tunnel/quic/app.h"

void h3_once_finish(struct h3_once *once)
{
	free(once->names);
	*once = (struct h3_once){ 0 };
}

void h3_once_make(char ret[H3_ONCE_TEXT_MAX])
{
	uint8_t name[H3_ONCE_LEN];

	quic_random(name, sizeof(name));
	ret[0] = '"';
	text_hex(span_of(name, sizeof(name)), ret + 1, H3_ONCE_TEXT_MAX - 1);
	ret[H3_ONCE_TEXT_MAX - 2] = '"';
	ret[H3_ONCE_TEXT_MAX - 1] = '\0';
}

/* -1 for what is no digit, or an upper-case one. */
static int digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool h3_once_parse(struct span value, struct h3_once_name *ret)
{
	struct h3_once_name name;

	if (value.len != H3_ONCE_TEXT_MAX - 1 || value.ptr[0] != '"' ||
	    value.ptr[value.len - 1] != '"')
		return false;
	for (size_t i = 0; i < H3_ONCE_LEN; i++) {
		int high = digit(value.ptr[1 + 2 * i]), low = digit(value.ptr[2 + 2 * i]);

		if (high < 0 || low < 0)
			return false;
		name.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*ret = name;
	return true;
}

bool h3_once_claim(struct h3_once *once, const struct h3_once_name *name)
{
	for (size_t i = 0; i < once->count; i++)
		if (memcmp(&once->names[i], name, sizeof(*name)) == 0)
			return false;
	if (!once->names)
		once->names = new_array(struct h3_once_name, H3_ONCE_MAX);
	once->names[once->next] = *name;
	once->next = (once->next + 1) % H3_ONCE_MAX;
	once->count = MIN(once->count + 1, (size_t)H3_ONCE_MAX);
	return true;
}
