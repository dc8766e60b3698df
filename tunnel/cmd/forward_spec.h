/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What is to be forwarded, as a user writes it:
 *
 *	8888                        this port, to the same in the job
 *	80:8888    :8888   0:8888   another port here; any free one
 *	3306:db:3306                a host that the job reaches
 *	[::1]:80:[fd00::1]:8888     only on this address of ours
 *	/tmp/l.sock:/run/x.sock     Unix sockets, on one side or on both
 *
 * A part that begins with '/' or '.' is the path of a Unix socket; a path has no ':' in it.
 */

#include <stdbool.h>
#include <sys/un.h>

#include "init/base/err.h"

#define FORWARD_HOST_MAX 253
#define FORWARD_PATH_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

struct forward_end {
	char path[FORWARD_PATH_MAX + 1]; /* of a Unix socket; empty: TCP */
	char host[FORWARD_HOST_MAX + 1]; /* without brackets; empty: not said */
	uint16_t port;			 /* 0, only here: any */
};

struct forward_spec {
	struct forward_end local, remote;
};

int forward_spec_parse(const char *text, struct forward_spec *ret, struct err *err) attr_must_use;

/* "127.0.0.1:80", "[::1]:80", "80" without a host, or the path. */
#define FORWARD_TEXT_MAX (FORWARD_HOST_MAX + 16)
void forward_end_format(const struct forward_end *end, char out[FORWARD_TEXT_MAX]);
