/* SPDX-License-Identifier: MIT */
/* What a pod printed; see logs.h. */
#include "logs.h"

#include <string.h>
#include <time.h>

#include "controller/backends/kube/foreign.h"
#include "controller/backends/kube/indexed.h"
#include "controller/backends/kube/job.h"
#include "controller/backends/kube/job_state.h"
#include "controller/backends/kube/observe.h"
#include "controller/backends/kube/pod_state.h"
#include "init/base/alloc.h"
#include "init/base/log.h"
#include "init/base/text.h"

/* How long is waited for what is added to a log, and for what it had before. */
#define FOLLOW_MS 20
#define SKIP_MS 5000

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

/* 1; 0: there is none yet. */
static int find_container(struct kube *kube, const struct job *job, uint64_t index,
			  struct kube_target *ret, struct err *err)
{
	cleanup(json_release) json_t *pods = NULL;
	const json_t *pod;

	if (job_is_adopted(job))
		return kube_adopted_target(job, ret, err) < 0 ? -1 : 1;
	if (kube_list_pods(kube, job, &pods, err) < 0)
		return -1;
	pod = kube_last_pod(pods, index);
	if (!pod)
		return 0;
	*ret = (struct kube_target){ str_dup(kube->namespace),
				     str_dup(kube_text(json_object_get(pod, "metadata"), "name")),
				     str_dup(KUBE_CONTAINER) };
	return 1;
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

void kube_reading_finish(struct kube_reading *reading)
{
	http_stream_close(reading->stream);
	free(reading->uid);
	*reading = (struct kube_reading){ 0 };
}

static bool is_at(const struct kube_reading *reading, const struct job *job,
		  const struct log_part *part)
{
	return reading->stream && strcmp(reading->uid, job->uid) == 0 &&
	       reading->rank == part->rank && reading->since_ns == part->since_ns &&
	       reading->offset == part->offset;
}

/* Whether somebody comes again for more of what goes on. */
static bool is_followed(const struct job *job, const struct log_part *part)
{
	return part->offset > 0 && part->offset != LOG_END && part->rank < KUBE_READINGS_MAX &&
	       !job_state_is_ended(job->state);
}

static char *log_path(const struct kube_target *target, const struct log_part *part, bool follows)
{
	cleanup(buf_finish) struct buf container = BUF_INIT(4096);
	cleanup_free char *base = kube_target_path(target, "log");
	time_t second = (time_t)(part->since_ns / NSEC_PER_SEC);
	char since[48] = "";
	struct tm tm;

	/* One that is too long is no container's name. */
	(void)!text_append_percent(&container, target->container);
	/* RFC 3339, section 5.6. */
	if (second > 0 && gmtime_r(&second, &tm) &&
	    strftime(since, sizeof(since), "&sinceTime=%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		since[0] = '\0';
	return str_printf("%s?container=%s%s%s", base, buf_str(&container),
			  follows ? "&follow=true" : "", since);
}

/* Begins to follow; that it cannot be done is no failure: it is read as a whole then. */
static void begin_to_follow(struct kube *kube, struct kube_reading *reading, const struct job *job,
			    const struct log_part *part, const struct kube_target *target)
{
	cleanup_free char *path = log_path(target, part, true);
	uint64_t later_ms;
	struct err why;

	kube_reading_finish(reading);
	if (kube_stream(kube, path, &reading->stream, &later_ms, &why) < 0) {
		log_debug("the log of %s is not followed: %s", target->pod, why.text);
		return;
	}
	reading->uid = str_dup(job->uid);
	reading->rank = part->rank;
	reading->since_ns = part->since_ns;
	reading->offset = reading->skip = part->offset;
}

/* What has come; a stream that breaks is left, and the next look reads from the beginning. */
static int go_on(struct kube_reading *reading, const struct log_part *part, struct buf *ret,
		 struct err *err)
{
	while (buf_len(ret) < part->max) {
		unsigned int wait_ms = reading->skip > 0 ? SKIP_MS : FOLLOW_MS;
		struct buf *bytes = NULL;
		size_t len, skip;
		int got = http_stream_read(reading->stream, wait_ms, &bytes, NULL);

		if (got == 0)
			return 0;
		if (got < 0 || buf_len(bytes) == 0) {
			kube_reading_finish(reading);
			return 0;
		}
		skip = (size_t)MIN(reading->skip, (uint64_t)buf_len(bytes));
		buf_consume(bytes, skip);
		reading->skip -= skip;
		len = MIN(buf_len(bytes), part->max - buf_len(ret));
		if (!buf_append(ret, buf_span(bytes).ptr, len))
			return err_set(err, ERR_LIMIT, "no room for more of the log");
		buf_consume(bytes, len);
		reading->offset += len;
	}
	return 0;
}

/* The log as a whole, of which a part is wanted. */
static int read_whole(struct kube *kube, const struct kube_target *target,
		      const struct log_part *part, struct buf *ret, struct err *err)
{
	cleanup_free char *path = log_path(target, part, false);
	struct reading reading = {
		.from = part->offset, .max = part->max, .last = BUF_INIT(2 * part->max), .ret = ret
	};
	struct kube_call call = { .path = path, .received = take, .owner = &reading };
	int result = kube_read(kube, &call, NULL, err);

	if (result == 0 && part->offset == LOG_END) {
		struct span last = buf_span(&reading.last);

		if (last.len > part->max)
			span_cut(&last, last.len - part->max);
		if (!buf_append_span(ret, last))
			result = err_set(err, ERR_LIMIT, "no room for the log");
	}
	buf_finish(&reading.last);
	return result;
}

int kube_read_log(struct kube *kube, struct kube_reading *readings, const struct job *job,
		  const struct log_part *part, struct buf *ret, struct err *err)
{
	struct kube_reading *reading = &readings[part->rank % KUBE_READINGS_MAX];
	cleanup(kube_target_finish) struct kube_target target = { 0 };
	struct err own = { 0 };
	uint64_t index;
	int found;

	if (!find_index(job, part, &index))
		return 0;
	/* The end of one that has ended is in the log, and perhaps not yet in the stream. */
	if (is_at(reading, job, part) && !job_state_is_ended(job->state))
		return go_on(reading, part, ret, err);
	found = find_container(kube, job, index, &target, err);
	if (found <= 0)
		return found;
	if (is_followed(job, part)) {
		begin_to_follow(kube, reading, job, part, &target);
		if (reading->stream)
			return go_on(reading, part, ret, err);
	}
	/* "waiting to start" is 400; a pod that went in between, 404. */
	if (read_whole(kube, &target, part, ret, &own) == 0 || own.kind == ERR_INVALID ||
	    own.kind == ERR_NOT_FOUND)
		return 0;
	return err_set(err, own.kind, "the log of %s: %s", job->native_id, own.text);
}
