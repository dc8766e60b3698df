/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The tunnel in a container of a pod that berth did not start. All of it is in one directory there,
 * called .berth-UID: bundle/ with berth's programs, job/ with what a job directory has, in the
 * container's root, or else where it may write programs (/run, /tmp, ..., a volume of its own). The
 * pod's object is not touched, but by a courier (courier.h), where the image has no shell.
 *
 * The programs come by the input of `kubectl exec`, one by one, the first of them with the help of
 * the image's sh, head, mkdir and chmod. berth-init, started by exec in a session of its own, so
 * that it stays when the stream ends, keeps the tunnel up; its command does nothing. What is asked
 * of the files later is asked through the bundle's busybox.
 *
 * Such a job's native id is NAMESPACE/POD/CONTAINER, so that it is reached without asking anybody.
 * A container that was started again is without the tunnel, and without the files unless they lie
 * in a volume.
 */

#include "controller/backends/backend.h"
#include "controller/backends/kube/reach.h"

/* name: [NAMESPACE/]POD, or NAMESPACE/POD/CONTAINER. As backend_ops.find_foreign. */
int kube_find_foreign(struct kube *kube, const char *name, struct job *ret, struct err *err)
	attr_must_use;

/* bundle_image: of the cluster's settings, or NULL. As the members of backend_ops. */
int kube_adopt(struct kube *kube, const struct submission *submission, const char *bundle_image,
	       struct err *err) attr_must_use;
int kube_abandon(struct kube *kube, const struct job *job, struct err *err) attr_must_use;

/* Fetches endpoint.0.json into the job directory here. ERR_NOT_FOUND: it does not run. */
int kube_adopted_endpoint(struct kube *kube, const struct job *job, char **ret, struct err *err)
	attr_must_use;

/* Brings this file of the job directory there. */
int kube_adopted_deliver(struct kube *kube, const struct job *job, const char *name,
			 struct err *err) attr_must_use;
