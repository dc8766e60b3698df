/* SPDX-License-Identifier: MIT */
#pragma once

/* This machine, described as the one node that jobs run on. */

#include "controller/backends/backend.h"

/* backend_ops.list_nodes. CPUs in use are those that the load average tells, of any program. */
int local_list_nodes(struct backend *backend, struct node_list *ret, struct err *err) attr_must_use;

/* Bytes of "MemAvailable" in what /proc/meminfo holds (proc(5)); 0 when it is not there. */
uint64_t local_parse_available(const char *meminfo);
