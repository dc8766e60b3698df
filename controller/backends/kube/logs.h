/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a pod printed. Kubernetes keeps standard output and error as one text, which is the job's
 * standard output here; and it tells a log from its beginning, so that what lies before the offset
 * passes by. KUBE_LOG_MAX is the most that is looked through. Who comes again for more of one that
 * goes on gets a stream, so that it is not read anew each time; when that breaks, it is once.
 */

#include "controller/backends/backend.h"
#include "controller/backends/kube/client.h"

#define KUBE_LOG_MAX ((uint64_t)256 * 1024 * 1024)
/* As many ranks are followed by streams of their own. */
#define KUBE_READINGS_MAX 16

/* A log that is followed. All-zero is none. */
struct kube_reading {
	struct http_stream *stream;
	char *uid; /* of the job */
	uint64_t rank;
	uint64_t since_ns;
	uint64_t offset; /* of what comes next to who reads */
	uint64_t skip;	 /* bytes before that, which were read already */
};

void kube_reading_finish(struct kube_reading *reading);

/*
 * As backend_ops.read_log, since_ns of a part being `sinceTime`; readings: KUBE_READINGS_MAX of
 * them.
 */
int kube_read_log(struct kube *kube, struct kube_reading *readings, const struct job *job,
		  const struct log_part *part, struct buf *ret, struct err *err) attr_must_use;
