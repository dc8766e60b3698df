/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a fuzz target defines: tests/fuzz/NAME.c, its corpus in tests/fuzz/corpus/NAME/, and a line
 * in tests/fuzz/meson.build.
 */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

/* A target must be visible to libFuzzer whatever the project's default is. */
__attribute__((visibility("default"))) int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
