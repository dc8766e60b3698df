/* SPDX-License-Identifier: MIT */
/*
 * What an API server says of a Job, its pods, events and nodes, a line of a watch, and a template:
 * read to their ends whatever they are, and nothing that a terminal would act on gets through.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "controller/backends/kube/adopted.h"
#include "controller/backends/kube/channels.h"
#include "controller/backends/kube/courier.h"
#include "controller/backends/kube/endpoint.h"
#include "controller/backends/kube/events.h"
#include "controller/backends/kube/foreign.h"
#include "controller/backends/kube/job.h"
#include "controller/backends/kube/job_state.h"
#include "controller/backends/kube/nodes.h"
#include "controller/backends/kube/pod_state.h"
#include "controller/backends/kube/watch.h"

static void observe(const json_t *answer)
{
	cleanup(json_release) json_t *pods = json_pack("[O?]", json_object_get(answer, "pod"));
	const struct job record = { .tasks = 3 };
	struct observation seen = { 0 };

	json_array_extend(pods, json_object_get(answer, "pods"));
	kube_read_job(&record, json_object_get(answer, "job"), pods, &seen);
	kube_read_events(json_object_get(answer, "events"), &record, &seen);
	fuzz_check_text(seen.native_state, sizeof(seen.native_state));
	fuzz_check_text(seen.reason, sizeof(seen.reason));
	fuzz_check_text(seen.node_list, sizeof(seen.node_list));
	assert(seen.exit_code >= JOB_NO_EXIT_CODE && seen.exit_code <= 255);
	assert(seen.signal >= 0 && seen.signal <= 64);
}

/* The same answer about tasks of an array. */
static void observe_tasks(const json_t *answer)
{
	cleanup(run_list_finish) struct run_list runs = { 0 };
	struct observation seen = { .runs = &runs };
	char indices[] = "0-4:2";
	const struct job record = { .tasks = 3, .array = indices };

	run_list_init(&runs, &record);
	kube_read_job(&record, json_object_get(answer, "job"), json_object_get(answer, "pods"),
		      &seen);
	for (size_t i = 0; i < runs.len; i++)
		fuzz_check_text(runs.items[i].reason, BACKEND_REASON_MAX);
}

static void list_nodes(const json_t *answer)
{
	cleanup(node_list_finish) struct node_list nodes = { 0 };
	cleanup(queue_list_finish) struct queue_list queues = { 0 };

	kube_read_nodes(json_object_get(answer, "nodes"), json_object_get(answer, "pods"), &nodes);
	for (size_t i = 0; i < nodes.len; i++) {
		fuzz_check_text(nodes.items[i].reason, SIZE_MAX);
		fuzz_check_text(nodes.items[i].features, SIZE_MAX);
	}
	kube_read_queues(json_object_get(answer, "nodes"), json_object_get(answer, "quotas"),
			 &nodes, &queues);
}

/* A line of a watch. */
static void apply(const uint8_t *bytes, size_t len)
{
	cleanup(json_release) json_t *items = json_object();
	cleanup_free char *version = NULL;
	struct err err = { 0 };

	if (kube_watch_apply(span_of(bytes, len), items, &version, &err) < 0)
		assert(err.kind == ERR_PROTOCOL || err.kind == ERR_UNAVAILABLE);
}

/* What berth-tunnel reads of it is what we wrote. */
static void locate(const json_t *answer)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(65536);
	cleanup(json_release) json_t *file = NULL;
	cleanup(job_finish) struct job job = { 0 };

	job_init(&job);
	job_set(&job, uid, "u1");
	if (!kube_format_endpoint(json_object_get(answer, "pod"), &job, 1, &text))
		return;
	assert(json_parse(buf_span(&text), 65536, &file, NULL) == 0);
	assert(json_array_size(json_object_get(file, "addresses")) > 0);
}

/* One that berth did not start, and what a courier said that was sent there. */
static void adopt(const json_t *answer)
{
	const json_t *pod = json_object_get(answer, "pod");
	const json_t *container = kube_container_of(pod, NULL);
	const json_t *state = kube_container_state(pod, kube_text(container, "name"));
	cleanup(adopted_finish) struct adopted adopted = { 0 };
	cleanup_free char *said = NULL;
	struct observation seen = { 0 };
	struct err err = { 0 };

	kube_read_adopted(pod, kube_text(container, "name"), "u", &seen);
	kube_read_adopted(pod, "main", "", &seen);
	fuzz_check_text(seen.reason, sizeof(seen.reason));
	fuzz_check_text(seen.native_state, sizeof(seen.native_state));
	adopted_add_places(&adopted, container);
	for (size_t i = 0; i < adopted.places_len; i++)
		assert(adopted.places[i][0] == '/');
	if (kube_read_courier(json_object_get(state, "terminated"), &said, &err) >= 0)
		fuzz_check_text(said, SIZE_MAX);
}

static void call(const char *text)
{
	cleanup(kube_target_finish) struct kube_target target = { 0 };

	if (kube_parse_foreign(text, &target, NULL) == 0)
		assert(target.pod[0] && !strchr(target.pod, '/'));
}

static void make(const char *template)
{
	static const char *const command[] = { "true", NULL };
	const struct spec spec = { .command = command,
				   .image = "i",
				   .user = "1:2",
				   .exclude = "n1",
				   .tasks = 2,
				   .gpus_per_task = "1" };
	cleanup(job_finish) struct job job = { 0 };
	const struct submission submission = { .spec = &spec, .job = &job, .template = template };
	cleanup(json_release) json_t *body = NULL;
	struct err err = { 0 };

	job_init(&job);
	job_set(&job, uid, "u1");
	if (kube_make_job(&submission, &body, &err) < 0)
		assert(err.text[0] != '\0');
	else
		assert(json_is_object(json_object_get(json_object_get(body, "spec"), "template")));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup_free char *text = str_dup_len((const char *)bytes, len);
	cleanup(json_release) json_t *answer = NULL;

	if (json_parse(span_of(bytes, len), 1 << 20, &answer, NULL) == 0) {
		observe(answer);
		observe_tasks(answer);
		list_nodes(answer);
		locate(answer);
		adopt(answer);
	}
	apply(bytes, len);
	(void)channels_exit_status(span_of(bytes, len), NULL);
	call(text);
	make(text);
	return 0;
}
