/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Jobs that are Jobs of Kubernetes (batch/v1), with one pod each. They carry a label with the job's
 * uid, by which they are found, listed and removed; nothing without it is ever touched. The Job
 * stays when it has ended, with its log, until it is collected, or KUBE_TTL_S after its end.
 *
 * No tunnel leads into a pod: the command runs as the image has it, without berth-init, and ssh is
 * refused in words that name the alternative.
 */

#include "controller/backends/backend.h"

/* site is NULL. Reads no file, and asks nobody, before it is used. */
int kube_backend_open(const struct backend_settings *settings, struct site *site,
		      struct backend **ret, struct err *err) attr_must_use;
