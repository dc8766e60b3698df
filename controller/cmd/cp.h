/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What `berth cp` is made of: where both sides speak SFTP, berth-tunnel copies (cp.c becomes it);
 * where one carries whole files, berth does (cp_whole.c).
 */

#include "controller/cmd/cmd.h"
#include "controller/ops/files.h"

struct cp_args {
	bool recursive, preserve, resume, verify, quiet;
	uint64_t wait_ns;
};

/* The exit status, or -1: of whose sides one at least carries whole files. */
int cp_whole(struct controller *c, const struct cp_args *args, const struct files_way *from,
	     const struct files_way *to, int argc, char **argv, struct err *err);
