/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the API server is asked to create for a job: a batch/v1 Job with one pod, that is tried once
 * (backoffLimit 0, restartPolicy Never). The user's pod template, when there is one (setting
 * `template`: YAML or JSON, with "metadata" and "spec" of a pod), is what ours is put into: node
 * selectors, tolerations, affinity, priority classes, pull secrets, volumes and more containers
 * stay as they are. Its container "main", or else its first, becomes the job's. What the job
 * itself says of its pod (--pod) is laid over that before (template.h).
 *
 * Pure, no I/O. An option that a pod has no field for is ERR_UNSUPPORTED, never left out silently.
 */

#include "controller/backends/kube/pod.h"

/* Labels by which Jobs and pods are known to be ours. */
#define KUBE_LABEL_UID "berth.uid"
#define KUBE_LABEL_JOB "berth.job"
/* An annotation of the Job: numbers of pods that were ended one by one. */
#define KUBE_NOTE_CANCELLED "berth.cancelled"
#define KUBE_NOTE_NAME "berth.name" /* an annotation */
/* What nobody collected goes by itself, so long after its end. */
#define KUBE_TTL_S (7 * 24 * 60 * 60)
#define KUBE_MANIFEST_MAX (1024 * 1024)

/* The body of POST jobs; release *ret. */
int kube_make_job(const struct submission *submission, json_t **ret, struct err *err) attr_must_use;

/* How the Job is called: by the job's uid, which is never used again. free() it. */
char *kube_job_name(const struct job *job);
