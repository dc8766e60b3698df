/* SPDX-License-Identifier: MIT */
/*
 * Heads of HTTP/1.1: a head that is complete is so however much follows, is never found before it
 * is complete, and its spans lie inside it.
 */
#include "tests/fuzz/fuzz.h"

#include "tunnel/wire/http1.h"

typedef int parse_fn(struct span bytes, struct http1_head *ret, size_t *ret_len, struct err *err);

static void is_inside(struct span s, struct span head)
{
	assert(s.len == 0 || (s.ptr >= head.ptr && s.ptr + s.len <= head.ptr + head.len));
}

/* A field that was given once lists itself, if it is a word. */
static void look_up(const struct http1_head *head)
{
	struct span value;

	if (http1_field(head, "upgrade", &value) && span_equal_str(value, "websocket"))
		assert(http1_has_token(head, "Upgrade", "WebSocket"));
	if (http1_field(head, "content-length", &value) && !span_equal_str(value, "0"))
		assert(!http1_has_no_body(head));
}

static void try(parse_fn *parse, struct span bytes)
{
	struct http1_head head;
	struct err err;
	size_t len, again;

	if (parse(bytes, &head, &len, &err) != 1)
		return;
	assert(len <= bytes.len && len <= HTTP1_HEAD_MAX && head.fields_len <= HTTP1_FIELDS_MAX);
	bytes.len = len;
	is_inside(head.method, bytes);
	is_inside(head.target, bytes);
	is_inside(head.reason, bytes);
	for (size_t i = 0; i < head.fields_len; i++) {
		assert(head.fields[i].name.len > 0);
		is_inside(head.fields[i].name, bytes);
		is_inside(head.fields[i].value, bytes);
	}
	look_up(&head);
	assert(parse(bytes, &head, &again, &err) == 1 && again == len);
	assert(parse(span_of(bytes.ptr, len - 1), &head, &again, &err) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	try(http1_parse_request, span_of(bytes, len));
	try(http1_parse_response, span_of(bytes, len));
	return 0;
}
