/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The files of a system behind FirecREST (firecrest/client.h). Small files go directly, up to the
 * server's own limit; larger ones by its S3 store: the server says where the parts go and starts a
 * job that carries them from there into the file, or the other way round. Renaming is a job, too.
 *
 * The API knows no links on the way: a path is made absolute here, by its text. Names come as text
 * in UTF-8, and what FirecREST cannot be told (firecrest_check_path()) is refused.
 */

#include "controller/files/fs.h"
#include "controller/firecrest/client.h"

struct fs_firecrest_plan {
	const char *name;    /* struct fs */
	const char *account; /* for its jobs, or NULL */
	uint64_t wait_ns;    /* at most so long for one of its jobs */
	uint64_t refused;    /* so many bytes do not go directly, it has said; 0: it has not */
};

/* The client must last as long as the fs. Nothing is asked yet. */
struct fs *fs_firecrest_new(const struct fs_firecrest_plan *plan, struct firecrest *fc)
	attr_must_use;

/* "rwxr-sr-t", also with a type before and '+' or '.' behind; 0 for anything else. */
uint32_t fs_firecrest_mode(const char *text);

/* An entry of the answer of ops/ls; false for what is none. */
bool fs_firecrest_entry(const json_t *json, struct fs_entry *ret);
