/* SPDX-License-Identifier: MIT */
/* The head of an HTTP answer: what is taken ends with an empty line, and has a status. */
#include "tests/fuzz/fuzz.h"

#include "controller/http/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct http_head head;

	if (!http_head_parse(span_of(bytes, len), &head))
		return 0;
	assert(head.status >= 100 && head.status <= 999);
	assert(http_head_field(span_of(bytes, len), "upgrade").len < len);
	assert(len >= 4 && memcmp(bytes + len - 4, "\r\n\r\n", 4) == 0);
	return 0;
}
