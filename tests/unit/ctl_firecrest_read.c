/* SPDX-License-Identifier: MIT */
/* What FirecREST tells of systems and jobs, in the terms of any scheduler; and archives. */
#include "tests/unit/unit.h"

#include <string.h>

#include "controller/backends/firecrest/read.h"
#include "controller/firecrest/client.h"
#include "controller/run/child.h"

static json_t *parse(const char *text)
{
	json_t *json = NULL;

	assert_int_equal(json_parse(span_of_str(text), 1 << 20, &json, NULL), 0);
	return json;
}

static void every_state_of_slurm_and_pbs_is_one_of_ours(void **state)
{
	static const struct {
		const char *word;
		unsigned int exit;
		enum job_state state;
	} cases[] = {
		{ "PENDING", 0, JOB_QUEUED },
		{ "CONFIGURING", 0, JOB_STARTING },
		{ "RUNNING", 0, JOB_RUNNING },
		{ "SUSPENDED", 0, JOB_RUNNING },
		{ "COMPLETING", 0, JOB_RUNNING },
		{ "STAGE_OUT", 0, JOB_RUNNING },
		{ "REQUEUED", 0, JOB_QUEUED },
		{ "REQUEUE_HOLD", 0, JOB_QUEUED },
		{ "COMPLETED", 0, JOB_SUCCEEDED },
		{ "CANCELLED by 1000", 0, JOB_CANCELLED },
		{ "FAILED", 7, JOB_FAILED },
		{ "TIMEOUT", 0, JOB_TIMEOUT },
		{ "OUT_OF_MEMORY", 0, JOB_FAILED },
		{ "NODE_FAIL", 0, JOB_FAILED },
		{ "BOOT_FAIL", 0, JOB_FAILED },
		{ "DEADLINE", 0, JOB_TIMEOUT },
		{ "PREEMPTED", 0, JOB_PREEMPTED },
		{ "WORD_OF_2031", 0, JOB_UNKNOWN },
		{ "Q", 0, JOB_QUEUED },
		{ "H", 0, JOB_QUEUED },
		{ "W", 0, JOB_QUEUED },
		{ "T", 0, JOB_QUEUED },
		{ "B", 0, JOB_RUNNING },
		{ "R", 0, JOB_RUNNING },
		{ "E", 0, JOB_RUNNING },
		{ "S", 0, JOB_RUNNING },
		{ "U", 0, JOB_RUNNING },
		{ "M", 0, JOB_CANCELLED },
		{ "F", 0, JOB_SUCCEEDED },
		{ "F", 271, JOB_FAILED },
		{ "X", 1, JOB_FAILED },
		{ "C", 0, JOB_SUCCEEDED },
		{ "?", 0, JOB_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup(json_release) json_t *json = json_pack(
			"{s:s, s:{s:s, s:i}, s:{s:i}}", "jobId", "7", "status", "state",
			cases[i].word, "exitCode", (int)cases[i].exit, "time", "start", 1);
		struct firecrest_job job;

		assert_true(firecrest_read_job(json, &job));
		if (job.seen.state != cases[i].state)
			fail_msg("%s is %s", cases[i].word, job_state_word(job.seen.state));
		assert_string_equal(job.seen.native_state, cases[i].word);
	}
}

static void a_job_of_pbs_that_never_began_did_not_succeed(void **state)
{
	cleanup(json_release) json_t *deleted = parse(
		"{\"jobId\":\"7\",\"status\":{\"state\":\"F\",\"exitCode\":0},\"time\":{\"start\":null}}");
	cleanup(json_release) json_t *refused =
		parse("{\"jobId\":\"7\",\"status\":{\"state\":\"F\",\"exitCode\":-3}}");
	struct firecrest_job job;

	(void)state;
	assert_true(firecrest_read_job(deleted, &job));
	assert_int_equal(job.seen.state, JOB_CANCELLED);
	assert_true(firecrest_read_job(refused, &job));
	assert_int_equal(job.seen.state, JOB_FAILED);
	assert_int_equal(job.seen.exit_code, 126);
}

static void a_job_of_pbs_that_took_too_long_timed_out(void **state)
{
	cleanup(json_release) json_t *ended = parse("{\"jobId\":\"1\",\"status\":{\"state\":\"F\","
						    "\"exitCode\":-29},\"time\":{\"start\":9}}");
	struct firecrest_job job;

	(void)state;
	assert_true(firecrest_read_job(ended, &job));
	assert_int_equal(job.seen.state, JOB_TIMEOUT);
	assert_int_equal(job.seen.exit_code, JOB_NO_EXIT_CODE);
	assert_string_equal(job.seen.native_state, "F");
}

static void memory_of_nodes_is_told_in_bytes_by_pbs(void **state)
{
	cleanup(json_release) json_t *answer =
		parse("{\"nodes\":[{\"name\":\"n\",\"state\":[\"IDLE\"],\"cpus\":2,"
		      "\"freeMemory\":24684084000,\"allocMemory\":204800000}]}");
	cleanup(node_list_finish) struct node_list nodes = { 0 };

	(void)state;
	firecrest_read_nodes(answer, true, &nodes);
	assert_int_equal(nodes.items[0].memory, 24684084000);
	assert_int_equal(nodes.items[0].memory_used, 204800000);
}

static void the_end_of_a_job_is_told(void **state)
{
	cleanup(json_release) json_t *slurm = parse(
		"{\"jobId\": 12, \"nodes\": \"nid[1-2]\", \"partition\": \"debug\", \"status\": "
		"{\"state\": \"FAILED\", \"stateReason\": \"Non\\u001bZero\", \"exitCode\": 7, "
		"\"interruptSignal\": 0}, \"time\": {\"start\": 100, \"end\": 160}, \"new\": []}");
	cleanup(json_release) json_t *pbs = parse(
		"{\"jobId\": \"3.server\", \"status\": {\"state\": \"F\", \"exitCode\": 265}}");
	struct firecrest_job job;

	(void)state;
	assert_true(firecrest_read_job(slurm, &job));
	assert_string_equal(job.id, "12");
	assert_string_equal(job.seen.node_list, "nid[1-2]");
	assert_string_equal(job.seen.queue, "debug");
	assert_string_equal(job.seen.reason, "Non?Zero");
	assert_int_equal(job.seen.exit_code, 7);
	assert_int_equal(job.seen.started_ns / NSEC_PER_SEC, 100);
	assert_int_equal(job.seen.ended_ns / NSEC_PER_SEC, 160);
	assert_true(firecrest_read_job(pbs, &job));
	assert_string_equal(job.id, "3.server");
	assert_int_equal(job.seen.signal, 9);
	assert_int_equal(job.seen.exit_code, JOB_NO_EXIT_CODE);
}

static void tasks_of_arrays_are_known_by_the_whole(void **state)
{
	static const struct {
		const char *text, *id, *tasks;
	} cases[] = {
		{ "7_3", "7", "3" },   { "7_[4-9%2]", "7", "4-9%2" }, { "7", "7", "" },
		{ "", NULL, NULL },    { "x7", NULL, NULL },	      { "7_", NULL, NULL },
		{ "7_x", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup(json_release) json_t *json = json_pack(
			"{s:s, s:{s:s}}", "jobId", cases[i].text, "status", "state", "RUNNING");
		struct firecrest_job job;

		assert_int_equal(firecrest_read_job(json, &job), cases[i].id != NULL);
		if (!cases[i].id)
			continue;
		assert_string_equal(job.id, cases[i].id);
		assert_string_equal(job.tasks, cases[i].tasks);
	}
}

static const char systems[] =
	"{\"systems\": [{\"name\": \"Daint\", \"scheduler\": {\"type\": \"slurm\"}, "
	"\"fileSystems\": [{\"path\": \"/users\", \"dataType\": \"users\", \"defaultWorkDir\": "
	"true}, {\"path\": \"/capstor/scratch/cscs\", \"dataType\": \"scratch\"}, "
	"{\"path\": 7}, null], \"servicesHealth\": [{\"serviceType\": \"scheduler\", \"healthy\": "
	"true}, {\"serviceType\": \"filesystem\", \"path\": \"/users\", \"healthy\": false, "
	"\"message\": \"slow\\u0007\"}], \"dataOperation\": {\"max_ops_file_size\": 1000}}, "
	"{\"name\": \"eiger\", \"fileSystems\": []}, 3]}";

static void a_system_is_described(void **state)
{
	cleanup(json_release) json_t *answer = parse(systems);
	const json_t *daint = firecrest_find_system(answer, "daint");
	const json_t *eiger = firecrest_find_system(answer, "eiger");
	cleanup_free char *home = firecrest_own_directory(daint, NULL, "me");
	cleanup_free char *users = firecrest_own_directory(daint, "users", "me");
	char text[200];

	(void)state;
	assert_non_null(daint);
	assert_null(firecrest_find_system(answer, "dain"));
	assert_string_equal(home, "/capstor/scratch/cscs/me");
	assert_string_equal(users, "/users/me");
	assert_null(firecrest_own_directory(daint, "store", "me"));
	assert_null(firecrest_own_directory(eiger, NULL, "me"));
	assert_string_equal(firecrest_scheduler(daint), "slurm");
	assert_string_equal(firecrest_scheduler(eiger), "");
	assert_int_equal(firecrest_direct_max(daint), 1000);
	assert_int_equal(firecrest_direct_max(eiger), FIRECREST_DIRECT_MAX);
	assert_false(firecrest_read_health(daint, text, sizeof(text)));
	assert_string_equal(text, "scheduler, /users is not well: slow?");
	assert_true(firecrest_read_health(eiger, text, sizeof(text)));
	firecrest_system_names(answer, text, sizeof(text));
	assert_string_equal(text, "Daint, eiger, ");
}

static void users_nodes_and_queues_are_described(void **state)
{
	cleanup(json_release) json_t *user =
		parse("{\"user\": {\"name\": \"me\"}, \"accounts\": [{\"name\": \"a\", "
		      "\"default\": true}, {\"name\": \"b\"}]}");
	cleanup(json_release) json_t *nodes_json =
		parse("{\"nodes\": [{\"name\": \"n1\", \"state\": [\"IDLE\", \"DRAIN\"], \"cpus\": "
		      "8, \"allocCpus\": null, \"freeMemory\": 100, \"allocMemory\": 28, "
		      "\"partitions\": [\"a\", \"b\"]}, {\"name\": \"n2\", \"state\": \"IDLE\", "
		      "\"cpus\": \"8\", \"partitions\": [\"b\"]}, {}, 7]}");
	cleanup(json_release) json_t *queues_json =
		parse("{\"partitions\": [{\"name\": \"b\", \"partition\": [\"UP\"], "
		      "\"totalNodes\": 2, \"cpus\": 16}]}");
	cleanup(node_list_finish) struct node_list nodes = { 0 };
	cleanup(queue_list_finish) struct queue_list queues = { 0 };
	char text[200];

	(void)state;
	firecrest_read_user(user, text, sizeof(text));
	assert_string_equal(text, "me, accounts a (default), b");
	firecrest_read_nodes(nodes_json, false, &nodes);
	assert_int_equal(nodes.len, 2);
	assert_string_equal(nodes.items[0].state, "idle+drain");
	assert_string_equal(nodes.items[0].queues, "a,b");
	assert_int_equal(nodes.items[0].memory, 128 << 20);
	firecrest_read_queues(queues_json, &nodes, &queues);
	assert_int_equal(queues.len, 1);
	assert_int_equal(queues.items[0].nodes_idle, 1);
	assert_string_equal(queues.items[0].node_list, "n1,n2");
	assert_string_equal(queues.items[0].state, "up");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_of_slurm_and_pbs_is_one_of_ours),
		cmocka_unit_test(a_job_of_pbs_that_never_began_did_not_succeed),
		cmocka_unit_test(a_job_of_pbs_that_took_too_long_timed_out),
		cmocka_unit_test(memory_of_nodes_is_told_in_bytes_by_pbs),
		cmocka_unit_test(the_end_of_a_job_is_told),
		cmocka_unit_test(tasks_of_arrays_are_known_by_the_whole),
		cmocka_unit_test(a_system_is_described),
		cmocka_unit_test(users_nodes_and_queues_are_described),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
