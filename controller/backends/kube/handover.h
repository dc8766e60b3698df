/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Handing a job over takes three requests, or more when a version of berth's programs comes for
 * the first time: the Job, its Secret (secret.h), and whether the programs are there (bundle.h).
 * The Job comes first, so that whoever finds it knows about everything else; its pod waits for the
 * rest. A berth that died in between is made good for by kube_complete().
 */

#include "controller/backends/backend.h"
#include "controller/backends/kube/client.h"

/* Settings of the cluster; NULL where there is none. */
struct kube_images {
	const char *bundle_image, *bundle_volume;
};

/*
 * The body of POST jobs with berth-init in it. is_real: the registry is asked what the image runs;
 * a manifest that is only shown does without. Release *ret.
 */
int kube_compose(const struct submission *submission, const struct kube_images *images,
		 bool is_real, json_t **ret, struct err *err) attr_must_use;

/* When it fails, nothing of it is there, as far as the API server can still be told. */
int kube_hand_over(struct kube *kube, const struct submission *submission,
		   const struct kube_images *images, struct err *err) attr_must_use;

/* made: the Job. What of a hand-over is missing is done. */
int kube_complete(struct kube *kube, const struct job *job, const struct kube_images *images,
		  const json_t *made, struct err *err) attr_must_use;

/* A Job goes after its pods (policy: "Foreground") or before; what is gone is success. */
int kube_delete_job(struct kube *kube, const struct job *job, const char *policy, struct err *err)
	attr_must_use;
