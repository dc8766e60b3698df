/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Into containers whose image has no shell, or not what takes a file there: an ephemeral container
 * beside it, of the image that the cluster's 'bundle_image' names, which sees the processes of the
 * other (targetContainerName) and so, below /proc/1/root, its files. It copies berth's programs
 * there, says where, and ends. It runs as whom the other does: who that is, it says first where the
 * pod does not, and another one is sent.
 *
 * Ephemeral containers cannot be removed from a pod: those that have ended stay in its description
 * until it goes.
 */

#include "controller/backends/kube/adopted.h"
#include "controller/backends/kube/reach.h"

struct courier {
	const char *image;
	const json_t *pod;
	const struct adopted *adopted; /* where it tries */
	const struct job *job;
};

/*
 * *ret_place: the directory, as the container sees it; free() it. ERR_UNSUPPORTED: processes of the
 * pod are not apart; ERR_UNAVAILABLE: nothing can be written, or it does not start.
 */
int kube_send_courier(struct kube *kube, const struct kube_target *target,
		      const struct courier *courier, char **ret_place, struct err *err)
	attr_must_use;

/*
 * What it said at its end: 1, and *ret is the directory; 0, and *ret is "UID GID" that it wants to
 * be; -1. Pure. free() *ret. terminated: as in the pod's status.
 */
int kube_read_courier(const json_t *terminated, char **ret, struct err *err);

/* The ephemeral container; user: "UID GID", or NULL: as the pod says. Release it. Pure. */
json_t *kube_make_courier(const struct courier *courier, const char *name, const char *container,
			  const char *user);
