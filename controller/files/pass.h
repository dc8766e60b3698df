/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A file from one place to another, of which one at least carries whole files (FirecREST): its
 * bytes pass through this process, some megabytes at a time, and touch no disk of ours. Within one
 * place nothing passes here (struct fs_ops, copy).
 */

#include "controller/files/copy.h"

/*
 * Reads windows of the bytes ahead for whoever reads several parts of them at the same time, each
 * from its front to its end. Takes *bytes over; size: of the file.
 */
struct fs_bytes *pass_ahead(struct fs_bytes *bytes, uint64_t size) attr_must_use;

/* The target has its name when its content is what the source's is, as far as they tell. */
int pass_file(const struct fs_copy *plan, const char *from, const char *to,
	      const struct fs_entry *source, struct err *err) attr_must_use;
