/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * endpoint.RANK.json: where the `serve` of a rank listens. Written 0600 and atomically each time it
 * starts, removed when it ends; described in tunnel/berth-tunnel-files.5.scd.
 *
 *	{"version": 1, "rank": 0, "host": "node1", "uid": 0,
 *	 "addresses": ["10.1.2.3:40001", "127.0.0.1:40001"], "tcp": ["10.1.2.3:40001"],
 *	 "started": 1790000000.5}
 */

#include "init/base/buf.h"
#include "init/base/err.h"
#include "tunnel/net/addr.h"

#define ENDPOINT_HOST_MAX 256

struct endpoint {
	unsigned int rank;
	char host[ENDPOINT_HOST_MAX];
	uint64_t uid;
	struct addr_list addresses; /* at least one in a parsed endpoint */
	struct addr_list tcp;	    /* where byte streams are taken; optional in the file */
	double started;		    /* seconds since the epoch */
};

int endpoint_parse(struct span text, struct endpoint *ret, struct err *err) attr_must_use;
bool endpoint_format(const struct endpoint *endpoint, struct buf *b) attr_must_use;

/* ERR_NOT_FOUND when there is no such file: the tunnel has not started yet, or has ended. */
int endpoint_read(const char *path, struct endpoint *ret, struct err *err) attr_must_use;
int endpoint_write(const char *path, const struct endpoint *endpoint, struct err *err)
	attr_must_use;
