/* SPDX-License-Identifier: MIT */
/* What a pod printed; see logs.h. */
#include "logs.h"

#include <string.h>

#include "controller/backends/kube/indexed.h"
#include "controller/backends/kube/job.h"
#include "controller/backends/kube/job_state.h"
#include "controller/backends/kube/observe.h"
#include "controller/backends/kube/pod_state.h"
#include "init/base/alloc.h"

struct reading {
	uint64_t seen; /* bytes */
	uint64_t from; /* LOG_END: the last */
	size_t max;
	struct buf last; /* of LOG_END: twice max at most */
	struct buf *ret;
};

static int keep_last(struct reading *reading, struct span bytes, struct err *err)
{
	if (bytes.len > reading->max)
		span_cut(&bytes, bytes.len - reading->max);
	if (buf_len(&reading->last) + bytes.len > reading->last.max)
		buf_consume(&reading->last, buf_len(&reading->last) - reading->max);
	if (!buf_append_span(&reading->last, bytes))
		return err_set(err, ERR_INTERNAL, "no room for a log");
	return 0;
}

static int take(void *owner, struct span bytes, struct err *err)
{
	struct reading *reading = owner;
	uint64_t skip = 0;

	reading->seen += bytes.len;
	if (reading->seen > KUBE_LOG_MAX)
		return err_set(err, ERR_LIMIT,
			       "the log is larger than %d MiB: 'kubectl logs' has it",
			       (int)(KUBE_LOG_MAX >> 20));
	if (reading->from == LOG_END)
		return keep_last(reading, bytes, err);
	if (reading->seen - bytes.len < reading->from)
		skip = MIN(reading->from - (reading->seen - bytes.len), (uint64_t)bytes.len);
	span_cut(&bytes, (size_t)skip);
	if (bytes.len > reading->max)
		bytes.len = reading->max;
	reading->max -= bytes.len;
	if (!buf_append_span(reading->ret, bytes))
		return err_set(err, ERR_LIMIT, "no room for more of the log");
	return reading->max == 0;
}

/* The name of the pod, "" when there is none yet; free() it. */
static int find_pod(struct kube *kube, const struct job *job, uint64_t index, char **ret,
		    struct err *err)
{
	cleanup(json_release) json_t *pods = NULL;
	const json_t *pod;

	if (kube_list_pods(kube, job, &pods, err) < 0)
		return -1;
	pod = kube_last_pod(pods, index);
	*ret = str_dup(kube_text(json_object_get(pod, "metadata"), "name"));
	return 0;
}

/*
 * Whether there is a log, and the number of the pod that has it: a job with several pods prints
 * nothing as a whole, and none has a log of errors alone.
 */
static bool find_index(const struct job *job, const struct log_part *part, uint64_t *ret)
{
	bool has_many = job_is_array(job) || job->tasks > 1;

	if (part->max == 0 || part->which == LOG_STDERR || (has_many && !part->of_rank))
		return false;
	return kube_index_of_rank(job, part->of_rank ? part->rank : 0, ret);
}

int kube_read_log(struct kube *kube, const struct job *job, const struct log_part *part,
		  struct buf *ret, struct err *err)
{
	cleanup_free char *pod = NULL, *base = NULL, *path = NULL;
	struct reading reading = {
		.from = part->offset, .max = part->max, .last = BUF_INIT(2 * part->max), .ret = ret
	};
	struct kube_call call = { .received = take, .owner = &reading };
	struct err own = { 0 };
	uint64_t index;
	int result;

	if (!find_index(job, part, &index))
		return 0;
	if (find_pod(kube, job, index, &pod, err) < 0)
		return -1;
	if (pod[0] == '\0')
		return 0;
	base = kube_path(kube, "/api/v1", "pods", pod);
	path = str_printf("%s/log?container=" KUBE_CONTAINER, base);
	call.path = path;
	result = kube_read(kube, &call, NULL, &own);
	if (result == 0 && part->offset == LOG_END) {
		struct span last = buf_span(&reading.last);

		if (last.len > part->max)
			span_cut(&last, last.len - part->max);
		if (!buf_append_span(ret, last))
			result = err_set(&own, ERR_LIMIT, "no room for the log");
	}
	buf_finish(&reading.last);
	/* "waiting to start" is 400; a pod that went in between, 404. */
	if (result == 0 || own.kind == ERR_INVALID || own.kind == ERR_NOT_FOUND)
		return 0;
	return err_set(err, own.kind, "the log of %s: %s", job->native_id, own.text);
}
