/* SPDX-License-Identifier: MIT */
/*
 * What a FirecREST server answers: read to its end whatever it is, and nothing that a terminal
 * would act on gets through.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "controller/firecrest/answer.h"

static void check_text(const char *text, size_t size)
{
	assert(strnlen(text, size) < size);
	for (; *text; text++)
		assert((unsigned char)*text >= 0x20 && *text != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	int status = len > 0 ? 400 + bytes[0] : 500;
	struct err err;

	assert(firecrest_explain(status, span_of(bytes, len), &err) == -1);
	assert(err.kind != ERR_NONE);
	check_text(err.text, sizeof(err.text));
	return 0;
}
