/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Open files and directories of an SFTP session, as the client names them: the index of a slot and
 * the generation of what is in it, 8 bytes. A slot that is used again has a new generation, so that
 * a handle of something closed names nothing, for 2^32 closings at least. There are at most as many
 * as the caller says.
 */

#include <dirent.h>
#include <stdbool.h>

#include "init/base/span.h"

#define HANDLE_LEN 8

struct handle {
	uint32_t generation;
	int fd; /* a directory's is that of dir */
	DIR *dir;
	bool open;
	size_t next_free; /* one more than its index; 0: none */
};

/* All-zero but for max: empty. */
struct handles {
	struct handle *items;
	size_t len, max, open;
	size_t first_free; /* likewise */
};

/* Closes everything. */
void handles_finish(struct handles *handles);

bool handles_are_full(const struct handles *handles);

/* Takes a descriptor, or a directory and its descriptor; not when full. Valid until the next. */
struct handle *handles_add(struct handles *handles, int fd, DIR *dir);
void handles_name(const struct handles *handles, const struct handle *handle,
		  uint8_t ret[HANDLE_LEN]);

/* NULL: there is no such handle (any more). */
struct handle *handles_find(struct handles *handles, struct span name);

/* 0, or the errno of close(2); the handle is gone either way. */
int handles_remove(struct handles *handles, struct handle *handle);
