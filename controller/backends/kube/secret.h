/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The files of a job, as a Secret that belongs to its Job and goes with it.
 *
 * The Job is made first and the Secret after it, with the Job as its owner from the beginning: no
 * Secret is ever without one, whenever we die. Until it is there the Job's pod does not start,
 * since a volume of it is missing; a berth that comes later makes it (find in backend.h).
 */

#include "controller/backends/kube/client.h"
#include "controller/model/job.h"

#define KUBE_SECRET_MAX (1024 * 1024)

/*
 * made: the Job, as the API server has it. One that is there already is success. Files that a job
 * does not have are left out; tunnel.json it has.
 */
int kube_put_secret(struct kube *kube, const struct job *job, const json_t *made, struct err *err)
	attr_must_use;

/* After the files have changed: pods that start later get them. */
int kube_renew_secret(struct kube *kube, const struct job *job, struct err *err) attr_must_use;
