/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * SHA-256 of a file that is on its way: a thread reads it from the front, as far as it is there,
 * while the rest is still carried. What was just written is read from memory, and the sum is there
 * soon after the last byte.
 *
 *	cleanup(hashing_free) struct hashing *hashing = hashing_begin(fd, size);
 *
 *	hashing_allow(hashing, there);		(so many bytes from the front are there)
 *	...
 *	hashing_allow(hashing, size);
 *	if (hashing_end(hashing, sum, err) < 0)
 *		return -1;
 */

#include "controller/files/sum.h"

struct hashing;

/* The descriptor stays the caller's, and open until hashing_free(). */
struct hashing *hashing_begin(int fd, uint64_t size) attr_must_use;
/* Stops what is not done yet. */
struct hashing *hashing_free(struct hashing *hashing);
DEFINE_CLEANUP(struct hashing, hashing_free)

/* Never fewer than before. */
void hashing_allow(struct hashing *hashing, uint64_t bytes);

/* Waits for the sum of all of it, which has to be allowed. Once. */
int hashing_end(struct hashing *hashing, char ret[SUM_TEXT_SIZE], struct err *err) attr_must_use;
