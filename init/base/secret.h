/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Key material of 32 bytes: wiped on release, compared in constant time, with no way to print it.
 */

#include <stdbool.h>

#include "cleanup.h"
#include "macro.h"

#define SECRET_LEN 32

struct secret {
	uint8_t bytes[SECRET_LEN];
};

void secret_finish(struct secret *s);
DEFINE_CLEANUP_VALUE(struct secret, secret_finish)

bool secret_equal(const struct secret *a, const struct secret *b);
