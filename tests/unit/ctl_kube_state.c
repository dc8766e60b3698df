/* SPDX-License-Identifier: MIT */
/* Jobs of Kubernetes: what is made of what the server says of them. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "controller/backends/kube/events.h"
#include "controller/backends/kube/job_state.h"
#include "controller/backends/kube/pod_state.h"

static void reads(const char *job_text, const char *pod_text, enum job_state state,
		  const char *reason, struct observation *ret)
{
	cleanup(json_release) json_t *job = json_loads(job_text, 0, NULL);
	cleanup(json_release) json_t *pod = pod_text ? json_loads(pod_text, 0, NULL) : NULL;
	cleanup(json_release) json_t *pods = json_array();
	const struct job record = { .tasks = 1 };

	json_array_append(pods, pod);
	*ret = (struct observation){ 0 };
	kube_read_job(&record, job, pods, ret);
	if (ret->state != state || strcmp(ret->reason, reason) != 0)
		fail_msg("%s: %s", job_state_word(ret->state), ret->reason);
}

#define CONDITION(type, more) \
	"{\"status\":{\"conditions\":[{\"type\":\"" type "\",\"status\":\"True\"" more "}]}}"
#define MAIN(state) \
	"\"containerStatuses\":[{\"name\":\"side\"},{\"name\":\"main\",\"state\":{" state "}}]"
#define ON_NODE "\"spec\":{\"nodeName\":\"n1\"},"

static void states_are_those_of_the_job_and_reasons_those_of_its_pod(void **state)
{
	struct observation seen;

	(void)state;
	reads("{}", NULL, JOB_QUEUED, "", &seen);
	assert_string_equal(seen.native_state, "Pending");
	reads(CONDITION("Suspended", ",\"reason\":\"JobSuspended\""), NULL, JOB_QUEUED,
	      "JobSuspended", &seen);
	reads("{}",
	      "{" ON_NODE "\"status\":{\"phase\":\"Pending\"," MAIN(
		      "\"waiting\":{\"reason\":\"ErrImagePull\"}") "}}",
	      JOB_STARTING, "ErrImagePull", &seen);
	assert_string_equal(seen.node_list, "n1");
	reads("{}",
	      "{\"status\":{\"phase\":\"Running\"," MAIN(
		      "\"running\":{\"startedAt\":\"2026-11-21T08:00:01Z\"}") "}}",
	      JOB_RUNNING, "", &seen);
	assert_int_equal(seen.started_ns, UINT64_C(1795248001) * NSEC_PER_SEC);
	assert_int_equal(seen.attempts, 1);
	reads(CONDITION("Complete", ""), NULL, JOB_SUCCEEDED, "", &seen);
	assert_int_equal(seen.exit_code, 0);
	reads(CONDITION("Failed", ",\"reason\":\"DeadlineExceeded\""), NULL, JOB_TIMEOUT,
	      "its time limit", &seen);
	reads(CONDITION("Failed", ",\"reason\":\"BackoffLimitExceeded\",\"message\":\"m\""), NULL,
	      JOB_FAILED, "BackoffLimitExceeded: m", &seen);
	assert_int_equal(seen.exit_code, JOB_NO_EXIT_CODE);
	reads(CONDITION("Failed", ",\"reason\":\"x\""),
	      "{\"status\":{" MAIN("\"terminated\":{\"exitCode\":7}") "}}", JOB_FAILED, "", &seen);
	assert_int_equal(seen.exit_code, 7);
	reads(CONDITION("Failed", ""),
	      "{\"status\":{" MAIN("\"terminated\":{\"exitCode\":143}") "}}", JOB_FAILED, "",
	      &seen);
	assert_int_equal(seen.signal, 15);
	reads(CONDITION("Failed", ""),
	      CONDITION("DisruptionTarget", ",\"reason\":\"PreemptionByScheduler\""), JOB_PREEMPTED,
	      "PreemptionByScheduler", &seen);
}

#define POD(index, made, status)                                                                   \
	"{\"metadata\":{\"creationTimestamp\":\"" made                                             \
	"\",\"annotations\":{\"batch.kubernetes.io/job-completion-index\":\"" index "\"}}," status \
	"}"
#define RUNS "\"status\":{\"phase\":\"Running\"}"
#define FAILED(code, at)                                                              \
	"\"status\":{\"phase\":\"Failed\"," MAIN("\"terminated\":{\"exitCode\":" code \
						 ",\"finishedAt\":\"" at "\"}") "}"

static void tasks_that_a_deletion_ends_are_cancelled(void **state)
{
	cleanup(run_list_finish) struct run_list runs = { 0 };
	char indices[] = "3,7";
	const struct job record = { .tasks = 1, .array = indices };
	struct observation seen = { .runs = &runs };
	cleanup(json_release) json_t *job = json_loads(
		"{\"spec\":{\"backoffLimitPerIndex\":0},\"metadata\":{\"deletionTimestamp\":"
		"\"2026-11-21T08:00:05Z\"}}",
		0, NULL);
	cleanup(json_release) json_t *pods =
		json_loads("[" POD("0", "1", FAILED("9", "2026-11-21T08:00:04Z")) "," POD(
				   "1", "1", FAILED("143", "2026-11-21T08:00:05Z")) "]",
			   0, NULL);

	(void)state;
	run_list_init(&runs, &record);
	kube_read_job(&record, job, pods, &seen);
	assert_int_equal(runs.items[0].state, JOB_FAILED);
	assert_int_equal(runs.items[1].state, JOB_CANCELLED);
}

static void tasks_end_each_for_itself(void **state)
{
	cleanup(run_list_finish) struct run_list runs = { 0 };
	char indices[] = "0-5";
	const struct job record = { .tasks = 1, .array = indices };
	struct observation seen = { .runs = &runs };
	cleanup(json_release) json_t *job =
		json_loads("{\"spec\":{\"backoffLimitPerIndex\":0},\"metadata\":{\"annotations\":"
			   "{\"berth.cancelled\":\"3\"}},\"status\":{\"completedIndexes\":\"1\","
			   "\"failedIndexes\":\"3-4\"}}",
			   0, NULL);
	cleanup(json_release) json_t *pods =
		json_loads("[" POD("0", "2", RUNS) "," POD("2", "1", FAILED("9", "")) "," POD(
				   "4", "1",
				   "\"status\":{\"phase\":\"Failed\",\"reason\":\"Evicted\","
				   "\"message\":\"low\"}") "]",
			   0, NULL);
	static const enum job_state states[] = { JOB_RUNNING,	JOB_SUCCEEDED, JOB_FAILED,
						 JOB_CANCELLED, JOB_FAILED,    JOB_QUEUED };

	(void)state;
	run_list_init(&runs, &record);
	kube_read_job(&record, job, pods, &seen);
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		assert_string_equal(job_state_word(runs.items[i].state), job_state_word(states[i]));
	assert_int_equal(runs.items[2].exit_code, 9);
	assert_string_equal(runs.items[4].reason, "Evicted: low");
}

static void a_task_has_ended_when_its_pod_says_so_before_the_job_does(void **state)
{
	cleanup(run_list_finish) struct run_list runs = { 0 };
	char indices[] = "0-1";
	const struct job record = { .tasks = 1, .array = indices };
	struct observation seen = { .runs = &runs };
	cleanup(json_release) json_t *job = json_loads(
		"{\"spec\":{\"backoffLimitPerIndex\":0},\"status\":{\"completedIndexes\":"
		"\"1\"}}",
		0, NULL);
	cleanup(json_release) json_t *pods =
		json_loads("[" POD("0", "1", "\"status\":{\"phase\":\"Succeeded\"}") "," POD(
				   "1", "1", RUNS) "]",
			   0, NULL);

	(void)state;
	run_list_init(&runs, &record);
	kube_read_job(&record, job, pods, &seen);
	assert_int_equal(runs.items[0].state, JOB_SUCCEEDED);
	assert_int_equal(runs.items[1].state, JOB_RUNNING);
}

static void a_task_is_what_its_ranks_are_together(void **state)
{
	cleanup(run_list_finish) struct run_list runs = { 0 };
	char indices[] = "3,7,9,11";
	const struct job record = { .tasks = 2, .array = indices };
	struct observation seen = { .runs = &runs };
	cleanup(json_release) json_t *job =
		json_loads("{\"spec\":{\"backoffLimitPerIndex\":0},\"status\":{"
			   "\"completedIndexes\":\"0,2-3\",\"failedIndexes\":\"1\"}}",
			   0, NULL);
	cleanup(json_release) json_t *pods = json_loads(
		"[" POD("1", "1", FAILED("9", "2026-11-21T08:00:04Z")) "," POD("4", "1", ON_NODE RUNS) "," POD(
			"5", "1", "\"spec\":{\"nodeName\":\"n2\"}," RUNS) "," POD("6", "1",
										  ON_NODE RUNS) "]",
		0, NULL);

	(void)state;
	run_list_init(&runs, &record);
	kube_read_job(&record, job, pods, &seen);
	assert_int_equal(runs.items[0].state, JOB_FAILED);
	assert_int_equal(runs.items[0].exit_code, 9);
	assert_string_equal(runs.items[0].reason, "1 FAILED, 1 SUCCEEDED");
	assert_int_equal(runs.items[1].state, JOB_SUCCEEDED);
	assert_int_equal(runs.items[1].exit_code, 0);
	assert_int_equal(runs.items[2].state, JOB_RUNNING);
	assert_string_equal(runs.items[2].node_list, "n1,n2");
	assert_int_equal(runs.items[3].state, JOB_RUNNING);
	assert_string_equal(runs.items[3].reason, "1 RUNNING, 1 QUEUED");
}

static void of_ranks_the_first_that_failed_tells(void **state)
{
	const struct job record = { .tasks = 3 };
	struct observation seen = { 0 };
	cleanup(json_release) json_t *job =
		json_loads(CONDITION("Failed", ",\"reason\":\"x\""), 0, NULL);
	cleanup(json_release) json_t *running = json_loads("{}", 0, NULL);
	cleanup(json_release) json_t *pods = json_loads(
		"[" POD("0", "1", FAILED("143", "2026-11-21T08:00:09Z")) "," POD(
			"1", "1",
			FAILED("3",
			       "2026-11-21T08:00:01Z")) "," POD("2", "1",
								ON_NODE
								"\"status\":{\"phase\":\"Pending\"}") "]",
		0, NULL);

	(void)state;
	kube_read_job(&record, job, pods, &seen);
	assert_int_equal(seen.state, JOB_FAILED);
	assert_int_equal(seen.exit_code, 3);
	kube_read_job(&record, running, pods, &seen);
	assert_int_equal(seen.state, JOB_RUNNING);
	assert_string_equal(seen.node_list, "n1");
}

static void of_pods_with_one_number_the_last_that_was_made_counts(void **state)
{
	cleanup(json_release) json_t *pods =
		json_loads("[" POD("0", "2", RUNS) "," POD("1", "4", RUNS) "," POD(
				   "0", "3", RUNS) "," POD("0", "1", RUNS) "]",
			   0, NULL);

	(void)state;
	assert_ptr_equal(kube_last_pod(pods, 0), json_array_get(pods, 2));
	assert_ptr_equal(kube_last_pod(pods, 1), json_array_get(pods, 1));
	assert_null(kube_last_pod(pods, 2));
}

static void events_say_why_nothing_happens(void **state)
{
	char uid[] = "u1";
	const struct job job = { .uid = uid };
	struct observation seen = { 0 };
	cleanup(json_release) json_t *events = json_loads(
		"[{\"reason\":\"FailedCreate\",\"message\":\"quota\",\"lastTimestamp\":\"2\","
		"\"involvedObject\":{\"name\":\"berth-u1\"}},{\"reason\":\"Old\",\"eventTime\":"
		"\"1\",\"involvedObject\":{\"name\":\"berth-u1-x\"}},{\"reason\":\"Other\","
		"\"lastTimestamp\":\"3\",\"involvedObject\":{\"name\":\"berth-u10\"}}]",
		0, NULL);

	(void)state;
	kube_read_events(events, &job, &seen);
	assert_string_equal(seen.reason, "FailedCreate: quota");
}

static void answers_of_odd_types_are_passed_over(void **state)
{
	struct observation seen;

	(void)state;
	reads("{\"status\":[]}", "{\"status\":{\"phase\":7,\"containerStatuses\":{}},\"spec\":1}",
	      JOB_QUEUED, "", &seen);
	reads("{\"status\":{\"conditions\":[7,{\"type\":[]}]}}", NULL, JOB_QUEUED, "", &seen);
	assert_int_equal(kube_time(""), 0);
	assert_int_equal(kube_time("2026-11-21"), 0);
	assert_int_equal(kube_time("0001-01-01T00:00:00Z"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tasks_that_a_deletion_ends_are_cancelled),
		cmocka_unit_test(tasks_end_each_for_itself),
		cmocka_unit_test(a_task_has_ended_when_its_pod_says_so_before_the_job_does),
		cmocka_unit_test(a_task_is_what_its_ranks_are_together),
		cmocka_unit_test(of_ranks_the_first_that_failed_tells),
		cmocka_unit_test(of_pods_with_one_number_the_last_that_was_made_counts),
		cmocka_unit_test(events_say_why_nothing_happens),
		cmocka_unit_test(states_are_those_of_the_job_and_reasons_those_of_its_pod),
		cmocka_unit_test(answers_of_odd_types_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
