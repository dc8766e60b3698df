/* SPDX-License-Identifier: MIT */
/*
 * Field sections: what is accepted as a request can be asked for again and means the same. The
 * input is fields, each a name and a value that end with a newline; a backslash makes the next byte
 * literal.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "tunnel/h3/fields.h"

/* Cuts one token; returns its length in out. */
static size_t next_token(struct span *s, uint8_t *out, size_t size)
{
	size_t len = 0;

	while (s->len > 0 && len < size) {
		uint8_t c = *span_cut(s, 1).ptr;

		if (c == '\n')
			break;
		if (c == '\\' && s->len > 0)
			c = *span_cut(s, 1).ptr;
		out[len++] = c;
	}
	return len;
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void ask_again(const struct h3_request *request)
{
	cleanup(h3_fields_finish) struct h3_fields fields = { 0 };
	struct h3_request again;
	struct err err;

	if (h3_fields_from_request(request, &fields, &err) < 0)
		return;
	assert(h3_fields_request(&fields, &again, &err) == 0);
	assert(same(request->method, again.method) && same(request->protocol, again.protocol));
	assert(same(request->authority, again.authority) && same(request->path, again.path));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup(h3_fields_finish) struct h3_fields fields = { 0 };
	struct span s = span_of(bytes, len);
	static uint8_t name[20000], value[20000];
	struct h3_request request;
	struct err err;

	while (s.len > 0) {
		size_t name_len = next_token(&s, name, sizeof(name));
		size_t value_len = next_token(&s, value, sizeof(value));

		if (h3_fields_add(&fields, span_of(name, name_len), span_of(value, value_len),
				  &err) < 0)
			assert(err.kind == ERR_INVALID || err.kind == ERR_LIMIT);
	}
	assert(fields.status == 0 || (fields.status >= 100 && fields.status <= 999));
	if (h3_fields_request(&fields, &request, &err) < 0)
		return 0;
	assert(request.method && request.authority);
	assert((request.path == NULL) ==
	       (strcmp(request.method, "CONNECT") == 0 && !request.protocol));
	ask_again(&request);
	return 0;
}
