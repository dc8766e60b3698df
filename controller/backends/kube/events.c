/* SPDX-License-Identifier: MIT */
/* Why nothing happens; see events.h. */
#include "events.h"

#include <string.h>

#include "controller/backends/jobdir.h"
#include "controller/backends/kube/job.h"
#include "controller/backends/kube/pod_state.h"
#include "init/base/log.h"

/* Words that a pod waits with and that explain nothing. */
static bool says_nothing(const char *reason)
{
	return reason[0] == '\0' || strcmp(reason, "ContainerCreating") == 0 ||
	       strcmp(reason, "PodInitializing") == 0;
}

/* The task that stands for the array, or the job's own words. */
static char *reason_of(struct observation *seen)
{
	for (size_t i = 0; seen->runs && i < seen->runs->len; i++) {
		struct run *run = &seen->runs->items[i];

		if (run->state == JOB_RUNNING || run->state == JOB_STARTING)
			return NULL;
		if (run->state == JOB_QUEUED)
			return run->reason;
	}
	if (seen->runs || (seen->state != JOB_QUEUED && seen->state != JOB_STARTING))
		return NULL;
	return seen->reason;
}

static bool is_stuck(struct observation *seen)
{
	const char *reason = reason_of(seen);

	return reason && says_nothing(reason);
}

static const char *time_of(const json_t *event)
{
	static const char *const keys[] = { "lastTimestamp", "eventTime", "firstTimestamp" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *text = kube_text(event, keys[i]);

		if (text[0] != '\0')
			return text;
	}
	return "";
}

/* About the Job, or about a pod, whose name begins with the Job's. */
static bool is_about(const json_t *event, const char *name)
{
	const char *whom = kube_text(json_object_get(event, "involvedObject"), "name");
	size_t len = strlen(name);

	return strncmp(whom, name, len) == 0 && (whom[len] == '\0' || whom[len] == '-');
}

void kube_read_events(const json_t *events, const struct job *job, struct observation *ret)
{
	cleanup_free char *name = kube_job_name(job);
	const json_t *event, *last = NULL;
	size_t i;

	json_array_foreach(events, i, event) {
		if (is_about(event, name) && (!last || strcmp(time_of(event), time_of(last)) >= 0))
			last = event;
	}
	if (last)
		kube_explain_by(last, ret);
}

static void explain(const json_t *events, const struct job *job, struct observation *seen)
{
	struct observation told = { 0 };

	kube_read_events(events, job, &told);
	if (told.reason[0] == '\0')
		return;
	if (!seen->runs) {
		memcpy(seen->reason, told.reason, sizeof(seen->reason));
		return;
	}
	for (size_t i = 0; i < seen->runs->len; i++) {
		struct run *run = &seen->runs->items[i];

		if (run->state != JOB_QUEUED || strcmp(run->reason, told.reason) == 0)
			continue;
		run_set_text(&run->reason, told.reason);
		run->has_changed = true;
	}
}

void kube_explain_by_events(struct kube *kube, const struct job *const *jobs, size_t len,
			    struct observation *ret)
{
	cleanup(json_release) json_t *events = NULL;
	cleanup_free char *base = NULL, *path = NULL;
	size_t stuck = 0;
	struct err why;

	for (size_t i = 0; i < len; i++)
		stuck += is_stuck(&ret[i]);
	if (stuck == 0)
		return;
	base = kube_path(kube, "/api/v1", "events", NULL);
	path = str_printf("%s?fieldSelector=type%%3DWarning", base);
	if (kube_list(kube, path, NULL, &events, &why) < 0) {
		log_debug("events: %s", why.text);
		return;
	}
	for (size_t i = 0; i < len; i++) {
		if (is_stuck(&ret[i]))
			explain(events, jobs[i], &ret[i]);
	}
}
