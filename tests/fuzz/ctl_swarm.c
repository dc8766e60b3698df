/* SPDX-License-Identifier: MIT */
/* What a Docker Swarm says of tasks and nodes: one of them, or a list. */
#include "tests/fuzz/fuzz.h"

#include "controller/backends/swarm/endpoint.h"
#include "controller/backends/swarm/nodes.h"
#include "controller/backends/swarm/task.h"

static char uid[] = "00000000-0000000000000001", empty[] = "";

static void check_task(const json_t *json, const struct job *job)
{
	cleanup(buf_finish) struct buf file = BUF_INIT(65536);
	struct observation seen;
	struct swarm_task task;

	if (swarm_format_endpoint(json, "node", "10.0.0.1", job, 0, &file))
		assert(buf_len(&file) > 0);
	if (!swarm_read_task(json, &task))
		return;
	assert(task.id[0] && task.state[0] && task.slot > 0);
	swarm_observe_task(&task, 0, false, &seen);
	fuzz_check_text(seen.reason, sizeof(seen.reason));
	fuzz_check_text(seen.native_state, sizeof(seen.native_state));
	assert(seen.exit_code >= JOB_NO_EXIT_CODE && seen.exit_code <= 255);
	assert(seen.signal >= 0 && seen.signal <= 64);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const struct job job = { .uid = uid, .array = empty, .only = empty, .tasks = 1 };
	cleanup(node_list_finish) struct node_list nodes = { 0 };
	cleanup(json_release) json_t *json = NULL;
	cleanup(swarm_tasks_finish) struct swarm_tasks tasks = { 0 };
	const struct swarm_task *last;
	const json_t *item;
	size_t i;

	if (json_parse_any(span_of(bytes, len), 1 << 20, &json, NULL) < 0)
		return 0;
	check_task(json, &job);
	swarm_read_node(json, &nodes);
	json_array_foreach(json, i, item) {
		check_task(item, &job);
		swarm_read_node(item, &nodes);
	}
	swarm_tasks_read(json, &tasks);
	for (i = 0; i < tasks.len; i++) {
		last = swarm_last_task(&tasks, tasks.items[i].slot);
		assert(last && last >= &tasks.items[i] && !last->is_end);
		assert(swarm_count_attempts(&tasks, last) <= tasks.len);
	}
	for (i = 0; i < nodes.len; i++) {
		fuzz_check_text(nodes.items[i].name, SIZE_MAX >> 1);
		fuzz_check_text(nodes.items[i].gres, SIZE_MAX >> 1);
	}
	return 0;
}
