/* SPDX-License-Identifier: MIT */
/* What a pod printed; see logs.h. */
#include "logs.h"

#include <string.h>

#include "controller/backends/kube/job.h"
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

/* The name of the pod that was made last; NULL: there is none. */
static int find_pod(struct kube *kube, const struct job *job, char **ret, struct err *err)
{
	cleanup_free char *path = kube_path(kube, "/api/v1", "pods", NULL);
	cleanup_free char *label = str_printf(KUBE_LABEL_UID "=%s", job->uid);
	cleanup(json_release) json_t *pods = NULL;
	const char *name, *last = "", *made;
	json_t *pod;
	size_t i;

	*ret = NULL;
	if (kube_list(kube, path, label, &pods, err) < 0)
		return -1;
	json_array_foreach(pods, i, pod) {
		const json_t *metadata = json_object_get(pod, "metadata");

		name = json_string_value(json_object_get(metadata, "name"));
		made = json_string_value(json_object_get(metadata, "creationTimestamp"));
		if (!name || (made && strcmp(made, last) < 0))
			continue;
		last = made ? made : last;
		free(*ret);
		*ret = str_dup(name);
	}
	return 0;
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
	int result;

	if (part->which == LOG_STDERR || part->max == 0)
		return 0;
	if (find_pod(kube, job, &pod, err) < 0)
		return -1;
	if (!pod)
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
