/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Why nothing happens: what the server's components complained about (Warning events), for jobs
 * whose Job and pods do not say it themselves: a quota that lets no pod be made, a volume that
 * cannot be mounted, a sandbox that does not start.
 */

#include "controller/backends/backend.h"
#include "controller/backends/kube/client.h"

/*
 * Adds reasons to those that wait without one, in one request, or none where nobody does. That
 * events cannot be read is no failure.
 */
void kube_explain_by_events(struct kube *kube, const struct job *const *jobs, size_t len,
			    struct observation *ret);

/* The last of these events that is about a job or one of its pods: "REASON: message". Pure. */
void kube_read_events(const json_t *events, const struct job *job, struct observation *ret);
