/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a backend runs jobs on. Patterns are those of fnmatch(3), against names; without any all are
 * listed. ERR_NOT_FOUND names a pattern that nothing has; ERR_UNSUPPORTED: the backend has neither
 * nodes nor queues.
 */

#include "controller/model/batch_script.h"
#include "controller/model/cluster.h"
#include "controller/model/fit.h"
#include "controller/model/job.h"
#include "controller/model/reservation.h"
#include "controller/ops/controller.h"

int ops_list_nodes(struct controller *c, const char *backend, char *const *patterns, size_t len,
		   struct node_list *ret, struct err *err) attr_must_use;
int ops_list_queues(struct controller *c, const char *backend, char *const *patterns, size_t len,
		    struct queue_list *ret, struct err *err) attr_must_use;

int ops_list_reservations(struct controller *c, const char *backend, char *const *patterns,
			  size_t len, struct reservation_list *ret, struct err *err) attr_must_use;

#define OPS_HEALTH_MAX 240

/* How its services are, as backend_health(); ERR_UNSUPPORTED: there is nothing to know. */
int ops_cluster_health(struct controller *c, const char *cluster, bool *ret_is_well,
		       char ret[OPS_HEALTH_MAX], struct err *err) attr_must_use;

#define OPS_ARCHITECTURE_MAX 120

/*
 * What its nodes are: the name ("arm64"), and in words for people where that is known from. Both
 * are "" where it cannot be said.
 */
const char *ops_cluster_architecture(struct controller *c, const char *cluster,
				     char ret_words[OPS_ARCHITECTURE_MAX]);

/* What the scheduler keeps of a job; ERR_UNSUPPORTED where that cannot be asked for. */
int ops_batch_script(struct controller *c, const struct job *job, struct batch_script *ret,
		     struct err *err) attr_must_use;

/* Nodes that can take something; ERR_UNSUPPORTED: a constraint that is not understood here. */
int ops_find_nodes(struct controller *c, const char *backend, const struct node_request *request,
		   struct fit_list *ret, struct err *err) attr_must_use;
