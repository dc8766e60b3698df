/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * berth-init in a pod. Init containers of ours put the programs (bundle.h) and the files of the job
 * (secret.h) where the job's container has them: the latter by the job's own image, so that whoever
 * that runs as owns them, and nobody else in the pod has the Secret. Then berth-init is what the
 * container runs, in front of the image's entrypoint and the command.
 *
 * Pure, no I/O.
 */

#include "controller/backends/backend.h"
#include "controller/backends/kube/bundle.h"
#include "controller/model/image.h"
#include "controller/model/json.h"

#define KUBE_JOB_MOUNT "/berth-job"
#define KUBE_JOB_DIR KUBE_JOB_MOUNT "/job"

/* The directory with berth's programs in the container. */
const char *kube_programs_dir(const struct kube_bundle *bundle);

/*
 * pod: the spec, with the container in it filled. image: of the job; NULL where the user's words
 * say all that is run. rank: a number, or what Kubernetes makes one of: "$(NAME)".
 */
void kube_add_init(json_t *pod, json_t *container, const struct submission *submission,
		   const struct kube_bundle *bundle, const struct oci_image *image,
		   const char *rank);

/* The UDP and TCP port that the tunnel of a job listens on in its pod. */
uint16_t kube_port(const struct job *job);

/* Whether the Job, as the server made it, mounts the image that has berth's programs. */
bool kube_has_image_volume(const json_t *job);
