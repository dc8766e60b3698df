/* SPDX-License-Identifier: MIT */
/* The scheduler's work and its queue; see report.h. */
#include "report.h"

#include <string.h>

#include "controller/backends/slurmrest/call.h"
#include "controller/backends/slurmrest/read.h"
#include "init/base/indices.h"
#include "init/base/alloc.h"

#define TEXT_MAX 4096

/* The same names in every version; since v0.0.40 numbers may be objects, which the reader knows. */
static const struct {
	const char *name;
	enum report_fact fact;
} members[] = {
	{ "req_time_start", REPORT_FACT_SINCE },
	{ "server_thread_count", REPORT_FACT_THREADS },
	{ "agent_queue_size", REPORT_FACT_AGENT_QUEUE },
	{ "dbd_agent_queue_size", REPORT_FACT_ACCOUNTING_QUEUE },
	{ "jobs_submitted", REPORT_FACT_SUBMITTED },
	{ "jobs_started", REPORT_FACT_STARTED },
	{ "jobs_completed", REPORT_FACT_COMPLETED },
	{ "jobs_canceled", REPORT_FACT_CANCELLED },
	{ "jobs_failed", REPORT_FACT_FAILED },
	{ "jobs_pending", REPORT_FACT_PENDING },
	{ "jobs_running", REPORT_FACT_RUNNING },
	{ "schedule_cycle_total", REPORT_FACT_CYCLES },
	{ "schedule_cycle_last", REPORT_FACT_CYCLE_LAST },
	{ "schedule_cycle_mean", REPORT_FACT_CYCLE_MEAN },
	{ "schedule_cycle_max", REPORT_FACT_CYCLE_MAX },
	{ "schedule_cycle_mean_depth", REPORT_FACT_DEPTH_MEAN },
	{ "schedule_queue_length", REPORT_FACT_QUEUE_LENGTH },
	{ "bf_backfilled_jobs", REPORT_FACT_BACKFILLED },
	{ "bf_last_backfilled_jobs", REPORT_FACT_BACKFILLED_SINCE },
	{ "bf_cycle_counter", REPORT_FACT_BACKFILL_CYCLES },
	{ "bf_when_last_cycle", REPORT_FACT_BACKFILL_WHEN },
	{ "bf_cycle_last", REPORT_FACT_BACKFILL_LAST },
	{ "bf_cycle_mean", REPORT_FACT_BACKFILL_MEAN },
	{ "bf_cycle_max", REPORT_FACT_BACKFILL_MAX },
	{ "bf_depth_mean", REPORT_FACT_BACKFILL_DEPTH },
	{ "bf_depth_mean_try", REPORT_FACT_BACKFILL_TRIED },
	{ "bf_queue_len", REPORT_FACT_BACKFILL_QUEUE },
	{ "bf_queue_len_mean", REPORT_FACT_BACKFILL_QUEUE_MEAN },
};

bool slurmrest_read_report(const json_t *answer, struct scheduler_report *ret)
{
	const json_t *statistics = json_object_get(answer, "statistics");
	bool has_any = false;
	uint64_t value;

	*ret = (struct scheduler_report){ 0 };
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (!slurmrest_number(json_object_get(statistics, members[i].name), &value) ||
		    (report_facts[members[i].fact].unit == REPORT_TIME && value == 0))
			continue;
		report_set(ret, members[i].fact, MIN(value, (uint64_t)SLURM_SECONDS_MAX));
		has_any = true;
	}
	return has_any;
}

static char *words_of(const json_t *json, const char *key)
{
	char text[TEXT_MAX];

	slurmrest_words(json_object_get(json, key), ",", text, sizeof(text));
	return str_dup(strcmp(text, "None") == 0 ? "" : text);
}

static uint64_t number_of(const json_t *json, const char *key, uint64_t max)
{
	uint64_t value;

	return slurmrest_number(json_object_get(json, key), &value) ? MIN(value, max) : 0;
}

static uint64_t time_of(const json_t *json, const char *key)
{
	return number_of(json, key, SLURM_SECONDS_MAX) * NSEC_PER_SEC;
}

bool slurmrest_read_queued(const json_t *json, struct queued *ret)
{
	cleanup_free struct slurmrest_job *job = new_zero(struct slurmrest_job);

	*ret = (struct queued){ 0 };
	if (!slurmrest_read_job(json, job) || job_state_is_ended(job->seen.state))
		return false;
	snprintf(ret->id, sizeof(ret->id), "%s", job->id);
	ret->tasks = str_dup(job->tasks);
	ret->count = job->tasks[0] ? indices_count(job->tasks) : 1;
	ret->state = job->seen.state;
	ret->queues = words_of(json, "partition");
	ret->reason = words_of(json, "state_reason");
	ret->dependency = words_of(json, "dependency");
	ret->nodes = words_of(json, ret->state == JOB_QUEUED ? "scheduled_nodes" : "nodes");
	ret->cpus = number_of(json, "cpus", UINT32_MAX);
	ret->priority = number_of(json, "priority", UINT32_MAX);
	ret->submitted_ns = time_of(json, "submit_time");
	ret->eligible_ns = time_of(json, "eligible_time");
	ret->start_ns = time_of(json, "start_time");
	return true;
}

static int get(struct backend *backend, const char *path, json_t **ret, struct err *err)
{
	const struct slurmrest_call call = { .path = path };

	return slurmrest_call(slurmrest_of(backend), &call, ret, err);
}

int slurmrest_report(struct backend *backend, struct scheduler_report *ret, struct err *err)
{
	cleanup(json_release) json_t *answer = NULL;

	if (get(backend, "/diag", &answer, err) < 0)
		return -1;
	if (!slurmrest_read_report(answer, ret))
		return err_set(err, ERR_PROTOCOL, "slurmrestd's answer has no statistics");
	return 0;
}

int slurmrest_list_queued(struct backend *backend, struct queued_list *ret, struct err *err)
{
	cleanup(json_release) json_t *answer = NULL;
	const json_t *json;
	struct queued entry;
	size_t i;

	if (get(backend, "/jobs", &answer, err) < 0)
		return -1;
	if (!json_is_array(json_object_get(answer, "jobs")))
		return err_set(err, ERR_PROTOCOL, "slurmrestd's answer has no list of jobs");
	json_array_foreach(json_object_get(answer, "jobs"), i, json) {
		if (slurmrest_read_queued(json, &entry))
			queued_list_take(ret, &entry);
	}
	return 0;
}
