/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a fuzz target defines: tests/fuzz/NAME.c, its corpus in tests/fuzz/corpus/NAME/, and a line
 * in tests/fuzz/meson.build.
 */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A target must be visible to libFuzzer whatever the project's default is. */
__attribute__((visibility("default"))) int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* That a text which reaches a terminal ends within its room, and has nothing a terminal acts on. */
static inline void fuzz_check_text(const char *text, size_t size)
{
	assert(strnlen(text, size) < size);
	for (; *text; text++)
		assert((unsigned char)*text >= 0x20 && *text != 0x7f);
}
