/* SPDX-License-Identifier: MIT */
#pragma once

/* Files that are read as a whole, wherever they are. */

#include "controller/ops/controller.h"
#include "init/base/buf.h"

/* Whether it is CLUSTER:PATH or JOB:PATH, and no file of this machine. */
bool fetch_is_elsewhere(const char *operand);

/*
 * Appends what is in a file of this machine or elsewhere; ERR_LIMIT when it has more than max
 * bytes. ret_cluster, unless NULL, is whose file it is, or NULL for this machine's; free() it.
 */
int ops_fetch(struct controller *c, const char *operand, size_t max, struct buf *ret,
	      char **ret_cluster, struct err *err) attr_must_use;
