/* SPDX-License-Identifier: MIT */
/*
 * What slurmrestd answers: read to its end whatever it is, and nothing that a terminal would act on
 * gets through.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "controller/backends/slurmrest/call.h"
#include "controller/backends/slurmrest/read.h"
#include "controller/backends/slurmrest/report.h"
#include "init/base/alloc.h"
#include "init/base/indices.h"

static void read_jobs(const json_t *answer, bool (*read)(const json_t *, struct slurmrest_job *))
{
	static struct slurmrest_job job;
	const json_t *json;
	size_t i;

	json_array_foreach(json_object_get(answer, "jobs"), i, json) {
		if (!read(json, &job))
			continue;
		fuzz_check_text(job.id, sizeof(job.id));
		assert(!job.tasks[0] || indices_are_valid(job.tasks) ||
		       strspn(job.tasks, "0123456789") == strlen(job.tasks));
		fuzz_check_text(job.seen.native_state, sizeof(job.seen.native_state));
		fuzz_check_text(job.seen.reason, sizeof(job.seen.reason));
		fuzz_check_text(job.seen.queue, sizeof(job.seen.queue));
		fuzz_check_text(job.seen.node_list, sizeof(job.seen.node_list));
		assert(job.seen.exit_code >= JOB_NO_EXIT_CODE && job.seen.exit_code <= 255);
		assert(job.seen.signal >= 0 && job.seen.signal <= 127);
	}
}

static void read_cluster(const json_t *answer)
{
	cleanup(node_list_finish) struct node_list nodes = { 0 };
	cleanup(queue_list_finish) struct queue_list queues = { 0 };
	cleanup(reservation_list_finish) struct reservation_list reservations = { 0 };

	slurmrest_read_nodes(answer, &nodes);
	slurmrest_read_queues(answer, &nodes, &queues);
	slurmrest_read_reservations(answer, &reservations);
	for (size_t i = 0; i < nodes.len; i++) {
		fuzz_check_text(nodes.items[i].name, SIZE_MAX);
		fuzz_check_text(nodes.items[i].state, SIZE_MAX);
		fuzz_check_text(nodes.items[i].reason, SIZE_MAX);
	}
	for (size_t i = 0; i < queues.len; i++)
		fuzz_check_text(queues.items[i].node_list, SIZE_MAX);
}

static void read_reports(const json_t *answer)
{
	cleanup(queued_list_finish) struct queued_list jobs = { 0 };
	struct scheduler_report report;
	struct queued entry;
	const json_t *json;
	size_t i;

	if (slurmrest_read_report(answer, &report))
		assert(report.facts[REPORT_FACT_SINCE].value <= (uint64_t)SLURM_SECONDS_MAX);
	json_array_foreach(json_object_get(answer, "jobs"), i, json) {
		if (slurmrest_read_queued(json, &entry))
			queued_list_take(&jobs, &entry);
	}
	for (i = 0; i < jobs.len; i++) {
		fuzz_check_text(jobs.items[i].reason, SIZE_MAX);
		fuzz_check_text(jobs.items[i].queues, SIZE_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup(json_release) json_t *answer = NULL;
	cleanup(job_list_finish) struct job_list located = { 0 };
	cleanup_free char *text = str_dup_len((const char *)bytes, len);
	char complaint[BACKEND_REASON_MAX], id[BACKEND_ID_MAX];
	unsigned int version = slurmrest_parse_version(text);

	assert(version == 0 || (version >= 38 && version <= 42));
	if (json_parse(span_of(bytes, len), 1 << 20, &answer, NULL) < 0)
		return 0;
	read_jobs(answer, slurmrest_read_job);
	read_jobs(answer, slurmrest_read_account);
	read_cluster(answer);
	read_reports(answer);
	if (slurmrest_find_input(answer, "/j/u/stdin", id))
		assert(strspn(id, "0123456789") == strlen(id) && id[0]);
	slurmrest_locate_jobs(answer, "u", "stdin", &located);
	for (size_t i = 0; i < located.len; i++)
		assert(located.items[i].directory[0] == '/' && job_is_uid(located.items[i].uid));
	slurmrest_complaint(answer, complaint, sizeof(complaint));
	fuzz_check_text(complaint, sizeof(complaint));
	return 0;
}
