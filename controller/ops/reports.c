/* SPDX-License-Identifier: MIT */
/* What a scheduler does and how jobs stand; see reports.h. */
#include "reports.h"

#include <string.h>

#include "controller/ops/cluster.h"
#include "controller/ops/internal.h"
#include "init/base/log.h"

int ops_report_scheduler(struct controller *c, const char *cluster, struct scheduler_report *ret,
			 struct err *err)
{
	struct backend *backend;

	if (controller_backend(c, cluster, &backend, err) < 0)
		return -1;
	return backend_report(backend, ret, err);
}

int ops_report_queues(struct controller *c, const char *cluster, char *const *patterns, size_t len,
		      struct queue_report_list *ret, struct err *err)
{
	cleanup(queue_list_finish) struct queue_list queues = { 0 };
	cleanup(queued_list_finish) struct queued_list jobs = { 0 };
	struct backend *backend;

	if (ops_list_queues(c, cluster, patterns, len, &queues, err) < 0 ||
	    controller_backend(c, cluster, &backend, err) < 0 ||
	    backend_list_queued(backend, &jobs, err) < 0)
		return -1;
	for (size_t i = 0; i < queues.len; i++)
		queue_report_list_add(ret, queues.items[i].name, queues.items[i].state);
	queue_report_count(ret, &jobs);
	return 0;
}

void job_report_list_finish(struct job_report_list *list)
{
	for (size_t i = 0; i < list->len; i++)
		queued_list_finish(&list->queues[i]);
	free(list->queues);
	free(list->items);
	*list = (struct job_report_list){ 0 };
}

static void fill(struct job_report *report, const struct queued_list *queue)
{
	report->entry = queued_list_find(queue, report->job);
	if (!report->entry)
		return;
	report->position = queued_position(queue, report->entry, &report->of);
	if (report->entry->state == JOB_QUEUED)
		report->explanation = queued_explain(report->entry->reason);
}

/* What a priority is made of is told where the scheduler tells it; a report is one without, too. */
static void add_priorities(struct backend *backend, const struct job *const *jobs,
			   struct job_report *const *reports, size_t len)
{
	cleanup_free struct priority *priorities = new_array(struct priority, len);
	struct err why;

	if (backend_list_priorities(backend, jobs, len, priorities, &why) < 0) {
		log_debug("%s", why.text);
		return;
	}
	for (size_t i = 0; i < len; i++)
		reports[i]->priority = priorities[i];
}

/* All jobs of the cluster of the first one, which those before it are not of. */
static int report_cluster(struct controller *c, struct job_report_list *list, size_t first,
			  struct err *err)
{
	const char *cluster = list->items[first].job->cluster;
	cleanup_free const struct job **jobs = new_array(const struct job *, list->len);
	cleanup_free struct job_report **reports = new_array(struct job_report *, list->len);
	struct backend *backend;
	size_t waiting = 0;

	if (controller_backend(c, cluster, &backend, err) < 0 ||
	    backend_list_queued(backend, &list->queues[first], err) < 0)
		return -1;
	for (size_t i = first; i < list->len; i++) {
		struct job_report *report = &list->items[i];

		if (strcmp(report->job->cluster, cluster) != 0)
			continue;
		fill(report, &list->queues[first]);
		if (!report->entry || report->entry->state != JOB_QUEUED)
			continue;
		reports[waiting] = report;
		jobs[waiting++] = report->job;
	}
	if (waiting > 0)
		add_priorities(backend, jobs, reports, waiting);
	return 0;
}

static bool is_first_of_cluster(const struct job_report_list *list, size_t i)
{
	for (size_t n = 0; n < i; n++) {
		if (strcmp(list->items[n].job->cluster, list->items[i].job->cluster) == 0)
			return false;
	}
	return true;
}

int ops_report_jobs(struct controller *c, const struct job_list *jobs, struct job_report_list *ret,
		    struct err *err)
{
	ret->items = new_array(struct job_report, jobs->len + 1);
	ret->queues = new_array(struct queued_list, jobs->len + 1);
	ret->len = jobs->len;
	for (size_t i = 0; i < jobs->len; i++)
		ret->items[i].job = &jobs->items[i];
	for (size_t i = 0; i < jobs->len; i++) {
		if (is_first_of_cluster(ret, i) && report_cluster(c, ret, i, err) < 0)
			return -1;
	}
	return 0;
}

void ops_keep_in_queues(struct controller *c, struct job_list *jobs)
{
	size_t kept = 0;

	for (size_t i = 0; i < jobs->len; i++) {
		struct job *job = &jobs->items[i];
		struct backend *backend;

		if (!job_state_is_ended(job->state) &&
		    controller_backend(c, job->cluster, &backend, NULL) == 0 &&
		    backend_has_queue(backend))
			jobs->items[kept++] = *job;
		else
			job_finish(job);
	}
	jobs->len = kept;
}
