/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Jobs that are Jobs of Kubernetes (batch/v1), with one pod each. They carry a label with the job's
 * uid, by which they are found, listed and removed; nothing without it is ever touched. The Job
 * stays when it has ended, with its log, until it is collected, or KUBE_TTL_S after its end.
 *
 * berth-init is the first process of the job's container (pod_init.h), and the tunnel beside it is
 * reached at the pod's address, by a relay, or through the API server (reach.h).
 */

#include "controller/backends/backend.h"

/* site is NULL. Reads no file, and asks nobody, before it is used. */
int kube_backend_open(const struct backend_settings *settings, struct site *site,
		      struct backend **ret, struct err *err) attr_must_use;
