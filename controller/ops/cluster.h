/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a backend runs jobs on. Patterns are those of fnmatch(3), against names; without any all are
 * listed. ERR_NOT_FOUND names a pattern that nothing has; ERR_UNSUPPORTED: the backend has neither
 * nodes nor queues.
 */

#include "controller/model/cluster.h"
#include "controller/model/fit.h"
#include "controller/ops/controller.h"

int ops_list_nodes(struct controller *c, const char *backend, char *const *patterns, size_t len,
		   struct node_list *ret, struct err *err) attr_must_use;
int ops_list_queues(struct controller *c, const char *backend, char *const *patterns, size_t len,
		    struct queue_list *ret, struct err *err) attr_must_use;

/* Nodes that can take something; ERR_UNSUPPORTED: a constraint that is not understood here. */
int ops_find_nodes(struct controller *c, const char *backend, const struct node_request *request,
		   struct fit_list *ret, struct err *err) attr_must_use;
