/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Pods that berth did not start: which of their containers is meant, and how that is. The pure
 * parts take a pod as the API server tells it.
 */

#include "controller/backends/backend.h"
#include "controller/backends/kube/reach.h"
#include "controller/model/json.h"

/* "POD", "NAMESPACE/POD" or "NAMESPACE/POD/CONTAINER"; what is not said becomes NULL. Pure. */
int kube_parse_foreign(const char *name, struct kube_target *ret, struct err *err) attr_must_use;

/* Of a native id, which has all three. */
int kube_adopted_target(const struct job *job, struct kube_target *ret, struct err *err)
	attr_must_use;

/* Release *ret. ERR_NOT_FOUND. */
int kube_get_pod(struct kube *kube, const struct kube_target *target, json_t **ret, struct err *err)
	attr_must_use;

/*
 * The spec of this container, of the one that kubectl takes by default when the name is NULL, which
 * is an annotation's or the first; NULL: there is no such. Borrowed. Pure.
 */
const json_t *kube_container_of(const json_t *pod, const char *name);

/* Its state: an object with one of "waiting", "running" and "terminated"; or NULL. Pure. */
const json_t *kube_container_state(const json_t *pod, const char *name);

/* How a container is that has this pod: uid is the pod's that was adopted, or "". Pure. */
void kube_read_adopted(const json_t *pod, const char *container, const char *uid,
		       struct observation *ret);

/* An adopted one, asked about alone. */
void kube_observe_adopted(struct kube *kube, const struct job *job, struct observation *ret);
