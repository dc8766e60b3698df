/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a pod printed. Kubernetes keeps standard output and error as one text, which is the job's
 * standard output here; and it tells a log from its beginning, so that what lies before the offset
 * passes by. KUBE_LOG_MAX is the most that is looked through.
 */

#include "controller/backends/backend.h"
#include "controller/backends/kube/client.h"

#define KUBE_LOG_MAX ((uint64_t)256 * 1024 * 1024)

/* As backend_ops.read_log. */
int kube_read_log(struct kube *kube, const struct job *job, const struct log_part *part,
		  struct buf *ret, struct err *err) attr_must_use;
