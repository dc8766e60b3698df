/* SPDX-License-Identifier: MIT */
/*
 * What a FirecREST server answers: read to its end whatever it is, and nothing that a terminal
 * would act on gets through.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "controller/backends/firecrest/read.h"
#include "controller/firecrest/answer.h"
#include "init/base/alloc.h"
#include "init/base/indices.h"

static void read_jobs(const json_t *answer)
{
	static struct firecrest_job job;
	const json_t *json;
	size_t i;

	json_array_foreach(json_object_get(answer, "jobs"), i, json) {
		if (!firecrest_read_job(json, &job))
			continue;
		fuzz_check_text(job.id, sizeof(job.id));
		assert(!job.tasks[0] || indices_are_valid(job.tasks));
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
	cleanup(reservation_list_finish) struct reservation_list kept = { 0 };
	const json_t *machine = firecrest_find_system(answer, "a");
	cleanup_free char *home = firecrest_own_directory(machine, NULL, "me");
	char text[64];

	firecrest_read_nodes(answer, false, &nodes);
	firecrest_read_queues(answer, &nodes, &queues);
	for (size_t i = 0; i < queues.len; i++)
		fuzz_check_text(queues.items[i].node_list, SIZE_MAX);
	firecrest_read_reservations(answer, &kept);
	for (size_t i = 0; i < kept.len; i++)
		fuzz_check_text(kept.items[i].name, SIZE_MAX);
	firecrest_read_health(machine, text, sizeof(text));
	fuzz_check_text(text, sizeof(text));
	firecrest_system_names(answer, text, sizeof(text));
	fuzz_check_text(text, sizeof(text));
	firecrest_read_user(answer, text, sizeof(text));
	fuzz_check_text(text, sizeof(text));
}

static void read_sum(struct span in)
{
	cleanup_free char *text = str_dup_len((const char *)in.ptr, in.len);
	char sum[FIRECREST_SUM_SIZE];

	if (firecrest_read_sum(text, sum))
		assert(strspn(sum, "0123456789abcdef") == FIRECREST_SUM_SIZE - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup(json_release) json_t *answer = NULL;
	int status = len > 0 ? 400 + bytes[0] : 500;
	struct err err;

	assert(firecrest_explain(status, span_of(bytes, len), &err) == -1);
	assert(err.kind != ERR_NONE);
	fuzz_check_text(err.text, sizeof(err.text));
	read_sum(span_of(bytes, len));
	if (json_parse(span_of(bytes, len), 1 << 20, &answer, NULL) == 0) {
		read_jobs(answer);
		read_cluster(answer);
	}
	return 0;
}
