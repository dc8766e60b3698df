/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The file that `berth export` writes and `berth import` reads: all that a workstation needs to
 * enter a job, without asking anybody. It holds a key.
 *
 *	berth export 1
 *	# This file holds a key: ...
 *	LENGTH NAME
 *	so many bytes
 *	...
 *	sha256 DIGEST
 *
 * Sections, each at most once: "job" (JSON: what the record says), "client" (the client file,
 * berth-tunnel-files(5)), and "endpoint.RANK" of ranks that listen. The digest is of everything
 * before its line: it finds damage, not malice; who can write the file can put any job into it.
 */

#include "controller/model/job.h"
#include "init/base/buf.h"

#define EXPORT_FILE_MAX (4 * 1024 * 1024)
#define EXPORT_FILE_ENDPOINTS_MAX 64

struct export_file {
	struct job job; /* its key is good until job.expires_ns */
	/* These borrow from the text that was parsed. */
	struct span client;
	struct {
		unsigned int rank;
		struct span text;
	} endpoints[EXPORT_FILE_ENDPOINTS_MAX];
	size_t endpoints_len;
};

void export_file_finish(struct export_file *file);
DEFINE_CLEANUP_VALUE(struct export_file, export_file_finish)

/* ERR_INVALID: it is none, or damaged. The text has secrets: errors show nothing of it. */
int export_file_parse(struct span text, struct export_file *ret, struct err *err) attr_must_use;
/* Appends it; false when it is too long. */
bool export_file_format(const struct export_file *file, struct buf *ret) attr_must_use;
