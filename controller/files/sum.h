/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * SHA-256 and MD5 of files, piece by piece. libcrypto makes them where it is (it is, beside
 * libcurl), since it uses what the processor has for SHA-256: five times as fast as libmd, which
 * makes them elsewhere. It is loaded with the first sum.
 *
 *	cleanup(sum_finish) struct sum sum = { 0 };
 *	char text[SUM_TEXT_SIZE];
 *
 *	sum_begin(&sum, SUM_SHA256);
 *	sum_add(&sum, bytes);
 *	sum_end(&sum, text);
 */

#include <md5.h>
#include <sha2.h>
#include <stdint.h>

#include "init/base/cleanup.h"
#include "init/base/err.h"
#include "init/base/span.h"

#define SUM_TEXT_SIZE (2 * SHA256_DIGEST_LENGTH + 1)

enum sum_kind { SUM_MD5, SUM_SHA256 };

struct sum {
	enum sum_kind kind;
	void *by_crypto; /* libcrypto's, or NULL: libmd's are used */
	MD5_CTX md5;
	SHA2_CTX sha256;
};

/* Loads libcrypto. Whoever makes sums in several threads calls it before. */
void sum_prepare(void);

/* May begin anew at any time. */
void sum_begin(struct sum *sum, enum sum_kind kind);
void sum_add(struct sum *sum, struct span bytes);
/* In hexadecimal. */
void sum_end(struct sum *sum, char ret[SUM_TEXT_SIZE]);
void sum_finish(struct sum *sum);
DEFINE_CLEANUP_VALUE(struct sum, sum_finish)

/* Adds a part of a file, which must not be shorter. */
int sum_add_file(struct sum *sum, int fd, uint64_t offset, uint64_t len, struct err *err)
	attr_must_use;

/* Of a part of a file. */
int sum_file(int fd, enum sum_kind kind, uint64_t offset, uint64_t len, char ret[SUM_TEXT_SIZE],
	     struct err *err) attr_must_use;
