/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The backend as it is open: what the user's settings say, and the client, which is made when it is
 * first needed. For the files that have operations of the backend: kube.c and inside.c.
 */

#include "controller/backends/kube/client.h"
#include "controller/backends/kube/handover.h"
#include "controller/backends/kube/logs.h"

struct kube_backend {
	struct backend base;
	struct kube *kube;			/* NULL: not opened yet */
	char *kubeconfig, *context, *namespace; /* the user's, or NULL */
	char *bundle_image, *bundle_volume;	/* the same */
	struct token_source *tokens;
	struct kube_job_watch *watch; /* NULL: jobs are listed when they are asked about */
	bool cannot_watch;
	struct kube_reading readings[KUBE_READINGS_MAX];
};

static inline struct kube_backend *kube_of(struct backend *backend)
{
	return container_of(backend, struct kube_backend, base);
}

/* The client; there is one whenever an operation of the backend is called (reach). */
static inline struct kube *kube_client(struct backend *backend)
{
	return kube_of(backend)->kube;
}
