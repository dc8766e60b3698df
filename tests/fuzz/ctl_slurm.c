/* SPDX-License-Identifier: MIT */
/*
 * What squeue, sacct and sbatch print: it is read to its end, and nothing that a terminal would act
 * on gets through. The first byte of the input is not part of it.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "controller/backends/slurm/account.h"
#include "controller/backends/slurm/find.h"
#include "controller/backends/slurm/cluster.h"
#include "controller/backends/slurm/list.h"
#include "controller/backends/slurm/report.h"
#include "controller/backends/slurm/submit.h"
#include "init/base/indices.h"
#include "controller/model/job_slurm.h"
#include "controller/model/resources.h"

static void read_list(enum slurm_list list, struct span text)
{
	static struct slurm_line line;
	struct observation seen;
	uint64_t task;
	int kind;

	do {
		size_t before = text.len;

		kind = slurm_next_line(list, &text, &line);
		assert(kind < 0 || text.len < before);
		if (kind != 1)
			continue;
		seen = line.seen;
		fuzz_check_text(line.id, sizeof(line.id));
		assert(!line.tasks || indices_next(line.tasks, 0, &task));
		fuzz_check_text(seen.native_state, sizeof(seen.native_state));
		fuzz_check_text(seen.reason, sizeof(seen.reason));
		fuzz_check_text(seen.queue, sizeof(seen.queue));
		fuzz_check_text(seen.node_list, sizeof(seen.node_list));
		assert(seen.state == job_slurm_state(seen.native_state) ||
		       strlen(seen.native_state) == sizeof(seen.native_state) - 1 ||
		       strchr(seen.native_state, '?'));
		assert(seen.exit_code >= JOB_NO_EXIT_CODE && seen.exit_code <= 255);
		assert(seen.signal >= 0 && seen.signal <= 127);
	} while (kind >= 0);
	assert(text.len == 0);
}

static void read_accounts(struct span text)
{
	cleanup(run_list_finish) struct run_list runs = { 0 };
	struct use use;

	slurm_parse_runs(text, "7", &runs);
	for (size_t i = 0; i < runs.len; i++) {
		fuzz_check_text(runs.items[i].native_state, BACKEND_REASON_MAX);
		fuzz_check_text(runs.items[i].reason, BACKEND_REASON_MAX);
		fuzz_check_text(runs.items[i].node_list, BACKEND_REASON_MAX);
		assert(runs.items[i].exit_code >= JOB_NO_EXIT_CODE &&
		       runs.items[i].exit_code < 256);
	}
	if (slurm_parse_stat(text, &use))
		assert(use.tasks <= UINT64_C(1) << 48);
}

/* Whatever a list of GPUs says: what is free is there, and what is shown fits. */
static void add_up(const struct node_list *nodes)
{
	cleanup(resource_list_finish) struct resource_list resources = { 0 };
	char text[GPUS_TEXT_SIZE];

	resource_list_init(&resources, nodes);
	for (size_t i = 0; i < resources.len; i++) {
		const struct gpus *gpus = &resources.items[i].gpus;

		gpus_format(gpus, text);
		fuzz_check_text(text, sizeof(text));
		assert(gpus_sum(gpus, NULL).free <= gpus_sum(gpus, NULL).total);
		assert(resources.items[i].cpus.free <= resources.items[i].cpus.total);
	}
}

static void read_nodes(struct span text)
{
	cleanup(node_list_finish) struct node_list nodes = { 0 };
	struct node node = { 0 };
	int kind;

	while ((kind = slurm_next_node(&text, &node)) >= 0) {
		if (kind != 1)
			continue;
		fuzz_check_text(node.name, SLURM_LINE_MAX);
		fuzz_check_text(node.reason, SLURM_LINE_MAX);
		fuzz_check_text(node.gres, SLURM_LINE_MAX);
		fuzz_check_text(node.features, SLURM_LINE_MAX);
		node_list_take(&nodes, &node);
	}
	assert(text.len == 0);
	add_up(&nodes);
}

static void read_partitions(struct span text)
{
	cleanup(queue_list_finish) struct queue_list queues = { 0 };
	struct queue queue = { 0 };
	int kind;

	while ((kind = slurm_next_partition(&text, &queue)) >= 0) {
		if (kind != 1)
			continue;
		fuzz_check_text(queue.name, SLURM_LINE_MAX);
		fuzz_check_text(queue.node_list, SLURM_LINE_MAX);
		queue_list_take(&queues, &queue);
	}
	assert(text.len == 0);
}

static void read_reservations(struct span text)
{
	struct reservation reservation = { 0 };
	int kind;

	while ((kind = slurm_next_reservation(&text, &reservation)) >= 0) {
		if (kind != 1)
			continue;
		fuzz_check_text(reservation.name, SLURM_LINE_MAX);
		fuzz_check_text(reservation.node_list, SLURM_LINE_MAX);
		reservation_finish(&reservation);
	}
	assert(text.len == 0);
}

static void locate(struct span text)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };

	slurm_locate_lines(text, &jobs);
	for (size_t i = 0; i < jobs.len; i++) {
		assert(job_is_uid(jobs.items[i].uid));
		assert(jobs.items[i].directory[0] == '/');
		fuzz_check_text(jobs.items[i].native_id, SLURM_ID_MAX);
		fuzz_check_text(jobs.items[i].native_state, BACKEND_WORD_MAX);
		for (size_t n = 0; n < i; n++)
			assert(strcmp(jobs.items[n].directory, jobs.items[i].directory) != 0);
	}
}

static void read_reports(struct span text)
{
	cleanup(queued_list_finish) struct queued_list jobs = { 0 };
	struct scheduler_report report;
	struct priority priority;
	struct queued entry;
	char id[QUEUED_ID_SIZE];
	struct span rest = text;
	uint64_t of;
	int kind;

	if (slurm_parse_report(text, &report))
		assert(report.facts[REPORT_FACT_SINCE].value <= (uint64_t)SLURM_SECONDS_MAX);
	while ((kind = slurm_next_factors(&rest, id, &priority)) >= 0)
		assert(kind == 0 || (id[0] && priority.len <= QUEUED_FACTORS_MAX));
	while ((kind = slurm_next_queued(&text, &entry)) >= 0) {
		if (kind != 1)
			continue;
		fuzz_check_text(entry.reason, SLURM_LINE_MAX);
		fuzz_check_text(entry.dependency, SLURM_LINE_MAX);
		queued_list_take(&jobs, &entry);
	}
	if (jobs.len > 0)
		assert(queued_position(&jobs, &jobs.items[0], &of) <= of);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct span text = span_of(bytes, len);
	char native_id[BACKEND_ID_MAX];
	uint64_t id;

	if (len == 0)
		return 0;
	span_cut(&text, 1);
	if (slurm_parse_submitted(text, &id))
		assert(id > 0);
	read_list(SLURM_QUEUE, text);
	read_list(SLURM_ACCOUNT, text);
	read_accounts(text);
	read_reservations(text);
	read_nodes(text);
	read_partitions(text);
	locate(text);
	read_reports(text);
	if (slurm_find_script(text, "/scratch/a/jobs/b/script.sh", native_id))
		assert(strlen(native_id) > 0 && strlen(native_id) < SLURM_ID_MAX);
	return 0;
}
