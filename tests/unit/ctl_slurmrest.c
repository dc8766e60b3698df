/* SPDX-License-Identifier: MIT */
/* Answers of slurmrestd in the forms of its versions, and what it is sent. */
#include "tests/unit/unit.h"

#include <string.h>

#include "controller/backends/slurmrest/call.h"
#include "controller/backends/slurmrest/read.h"
#include "controller/backends/slurmrest/submit.h"

#define SET(number) "{\"set\":true,\"infinite\":false,\"number\":" #number "}"
#define UNSET "{\"set\":false,\"infinite\":false,\"number\":0}"
#define INFINITE "{\"set\":true,\"infinite\":true,\"number\":0}"
#define START UINT64_C(1795257704)

static json_t *parse(const char *text)
{
	json_t *json = NULL;
	struct err err = { 0 };

	if (json_parse(span_of_str(text), SIZE_MAX, &json, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return json;
}

static struct slurmrest_job read_text(bool (*read)(const json_t *, struct slurmrest_job *),
				      const char *text)
{
	cleanup(json_release) json_t *json = parse(text);
	static struct slurmrest_job job;

	assert_true(read(json, &job));
	return job;
}

static void check_failed(const struct slurmrest_job *job)
{
	assert_string_equal(job->id, "42");
	assert_string_equal(job->tasks, "");
	assert_int_equal(job->seen.state, JOB_FAILED);
	assert_string_equal(job->seen.native_state, "FAILED");
	assert_string_equal(job->seen.reason, "NonZeroExitCode");
	assert_string_equal(job->seen.queue, "debug");
	assert_string_equal(job->seen.node_list, "n[1-2]");
	assert_int_equal(job->seen.exit_code, 3);
	assert_int_equal(job->seen.signal, 0);
	assert_int_equal(job->seen.started_ns, START * NSEC_PER_SEC);
	assert_int_equal(job->seen.ended_ns, (START + 5) * NSEC_PER_SEC);
	assert_int_equal(job->seen.attempts, 3);
}

#define COMMON                                                                        \
	"\"job_id\":42,\"state_reason\":\"NonZeroExitCode\",\"partition\":\"debug\"," \
	"\"nodes\":\"n[1-2]\",\"restart_cnt\":2,\"news\":[{\"a\":{}}],"

static void a_job_is_the_same_in_every_version(void **state)
{
	static const char *const versions[] = {
		"{" COMMON "\"array_job_id\":0,\"array_task_id\":null,\"job_state\":\"FAILED\","
		"\"exit_code\":768,\"start_time\":1795257704,\"end_time\":1795257709}",
		"{" COMMON "\"array_job_id\":" SET(
			0) ",\"array_task_id\":" UNSET
			   ",\"job_state\":\"FAILED\",\"exit_code\":{\"status\":\"ERROR\",\"return_code\":3},"
			   "\"start_time\":1795257704,\"end_time\":1795257709}",
		"{" COMMON "\"array_job_id\":" UNSET ",\"job_state\":[\"FAILED\"],\"exit_code\":{"
		"\"status\":[\"ERROR\"],\"return_code\":" SET(
			3) ",\"signal\":{\"id\":" UNSET
			   ",\"name\":\"\"}},\"start_time\":" SET(1795257704) ",\"end_time\":" SET(
				   1795257709) "}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct slurmrest_job job = read_text(slurmrest_read_job, versions[i]);

		check_failed(&job);
	}
}

static void accounts_tell_the_same(void **state)
{
	static const char *const versions[] = {
		"{\"job_id\":42,\"array\":{\"job_id\":0,\"task_id\":null},\"partition\":\"debug\","
		"\"state\":{\"current\":\"FAILED\",\"reason\":\"NonZeroExitCode\"},\"restart_cnt\":2,"
		"\"exit_code\":{\"status\":\"ERROR\",\"return_code\":3},\"nodes\":\"n[1-2]\","
		"\"time\":{\"start\":1795257704,\"end\":1795257709}}",
		"{\"job_id\":42,\"array\":{\"job_id\":0,\"task_id\":" UNSET
		"},\"partition\":\"debug\",\"state\":{\"current\":[\"FAILED\"],\"reason\":"
		"\"NonZeroExitCode\"},\"restart_cnt\":2,\"exit_code\":{\"status\":[\"ERROR\"],"
		"\"return_code\":" SET(3) "},\"nodes\":\"n[1-2]\",\"time\":{\"start\":1795257704,"
					  "\"end\":1795257709}}",
	};
	struct slurmrest_job job;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		job = read_text(slurmrest_read_account, versions[i]);
		check_failed(&job);
	}
	job = read_text(
		slurmrest_read_account,
		"{\"job_id\":44,\"array\":{\"job_id\":43,\"task_id\":2},\"state\":{"
		"\"current\":\"FAILED\"},\"exit_code\":{\"status\":\"SIGNALED\",\"signal\":{"
		"\"signal_id\":9,\"name\":\"KILL\"}}}");
	assert_string_equal(job.id, "43");
	assert_string_equal(job.tasks, "2");
	assert_int_equal(job.seen.signal, 9);
	assert_int_equal(job.seen.exit_code, JOB_NO_EXIT_CODE);
}

static void states_are_lists_with_flags(void **state)
{
	struct slurmrest_job job = read_text(
		slurmrest_read_job, "{\"job_id\":1,\"job_state\":[\"FAILED\",\"COMPLETING\"]}");

	(void)state;
	assert_int_equal(job.seen.state, JOB_RUNNING);
	job = read_text(slurmrest_read_job,
			"{\"job_id\":1,\"job_state\":[\"COMPLETED\",\"REQUEUED\",7,\"ANOTHER\"]}");
	assert_int_equal(job.seen.state, JOB_QUEUED);
	job = read_text(slurmrest_read_job, "{\"job_id\":1,\"job_state\":\"HIBER\\u001b[2J\"}");
	assert_int_equal(job.seen.state, JOB_UNKNOWN);
	assert_null(strchr(job.seen.native_state, '\x1b'));
}

static void tasks_of_arrays_come_one_by_one_and_in_lists(void **state)
{
	struct slurmrest_job job =
		read_text(slurmrest_read_job, "{\"job_id\":9,\"array_job_id\":7,"
					      "\"array_task_id\":3,\"job_state\":\"RUNNING\"}");

	(void)state;
	assert_string_equal(job.id, "7");
	assert_string_equal(job.tasks, "3");
	job = read_text(slurmrest_read_job,
			"{\"job_id\":7,\"array_job_id\":" SET(
				7) ",\"array_task_id\":" UNSET
				   ",\"array_task_string\":\"4-9%2\",\"job_state\":[\"PENDING\"]}");
	assert_string_equal(job.tasks, "4-9%2");
	job = read_text(slurmrest_read_job,
			"{\"job_id\":7,\"array_job_id\":7,\"array_task_id\":null,"
			"\"array_task_string\":\"1,3,5,...\",\"job_state\":\"PENDING\"}");
	assert_string_equal(job.tasks, "1,3,5");
}

static void a_job_is_found_by_its_standard_input(void **state)
{
	cleanup(json_release) json_t *answer = parse(
		"{\"jobs\":[7,{\"job_id\":5},{\"job_id\":6,\"standard_input\":null},"
		"{\"job_id\":0,\"standard_input\":\"/j/u/stdin\"},"
		"{\"job_id\":8,\"standard_input\":\"/j/u1/stdin\"},"
		"{\"job_id\":11,\"array_job_id\":" SET(9) ",\"standard_input\":\"/j/u/stdin\"}]}");
	char id[BACKEND_ID_MAX] = "before";

	(void)state;
	assert_false(slurmrest_find_input(answer, "/j/u2/stdin", id));
	assert_false(slurmrest_find_input(NULL, "/j/u/stdin", id));
	assert_string_equal(id, "before");
	assert_true(slurmrest_find_input(answer, "/j/u/stdin", id));
	assert_string_equal(id, "9");
	assert_true(slurmrest_find_input(answer, "/j/u1/stdin", id));
	assert_string_equal(id, "8");
}

static void jobs_of_the_user_are_known_by_their_files(void **state)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	cleanup(json_release) json_t *answer = parse(
		"{\"jobs\":[7,{\"job_id\":1,\"job_state\":\"RUNNING\",\"user_name\":\"me\"},"
		"{\"job_id\":2,\"job_state\":[\"PENDING\"],\"user_name\":\"me\",\"name\":\"a\","
		"\"standard_input\":\"/s%%a/jobs/6b019f50-8eef54953ad43042/stdin\"},"
		"{\"job_id\":3,\"job_state\":[\"RUNNING\"],\"user_name\":\"me\","
		"\"array_job_id\":" SET(
			2) ","
			   "\"standard_input\":\"/s%%a/jobs/6b019f50-8eef54953ad43042/stdin\"},"
			   "{\"job_id\":4,\"job_state\":[\"RUNNING\"],\"user_name\":\"other\","
			   "\"standard_input\":\"/s/jobs/6b019f51-8eef54953ad43042/stdin\"},"
			   "{\"job_id\":5,\"job_state\":[\"RUNNING\"],\"user_name\":\"me\","
			   "\"standard_input\":\"\",\"command\":\"/s/jobs/6b019f52-8eef54953ad43042/script.sh\"},"
			   "{\"job_id\":6,\"job_state\":[\"RUNNING\"],\"user_name\":\"me\","
			   "\"standard_input\":\"stdin\",\"command\":[]}]}");

	(void)state;
	slurmrest_locate_jobs(NULL, "me", "stdin", &jobs);
	slurmrest_locate_jobs(answer, "me", "stdin", &jobs);
	assert_int_equal(jobs.len, 2);
	assert_string_equal(jobs.items[0].native_id, "2");
	assert_string_equal(jobs.items[0].name, "a");
	assert_string_equal(jobs.items[0].directory, "/s%a/jobs/6b019f50-8eef54953ad43042");
	assert_int_equal(jobs.items[0].state, JOB_RUNNING);
	assert_string_equal(jobs.items[1].native_id, "5");
	assert_string_equal(jobs.items[1].uid, "6b019f52-8eef54953ad43042");
}

static void what_is_no_job_is_passed_over(void **state)
{
	static const char *const texts[] = { "{}", "{\"job_id\":0,\"job_state\":\"RUNNING\"}",
					     "{\"job_id\":-1,\"job_state\":\"RUNNING\"}",
					     "{\"job_id\":1,\"job_state\":[[]]}",
					     "{\"job_id\":1e300,\"job_state\":\"RUNNING\"}" };
	static struct slurmrest_job job;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		cleanup(json_release) json_t *json = parse(texts[i]);

		assert_false(slurmrest_read_job(json, &job));
	}
	assert_false(slurmrest_read_job(NULL, &job));
}

static void nodes_and_partitions_are_read_in_both_forms(void **state)
{
	static const char *const nodes_text[] = {
		"{\"nodes\":[{\"name\":\"n1\",\"state\":\"idle\",\"state_flags\":[],\"cpus\":8,"
		"\"alloc_cpus\":0,\"real_memory\":1024,\"alloc_memory\":0,\"partitions\":[\"a\","
		"\"b\"]},{\"name\":\"n2\",\"state\":\"mixed\",\"state_flags\":[\"DRAIN\"],"
		"\"cpus\":8,\"alloc_cpus\":3,\"reason\":\"fan\",\"partitions\":[\"a\"]}]}",
		"{\"nodes\":[{\"name\":\"n1\",\"state\":[\"IDLE\"],\"cpus\":8,\"alloc_cpus\":0,"
		"\"real_memory\":1024,\"partitions\":[\"a\",\"b\"]},{\"name\":\"n2\",\"state\":["
		"\"MIXED\",\"DRAIN\"],\"cpus\":8,\"alloc_cpus\":3,\"reason\":\"fan\","
		"\"partitions\":[\"a\"]},{\"name\":7}]}",
	};
	static const char *const queues_text[] = {
		"{\"partitions\":[{\"name\":\"a\",\"state\":\"UP\",\"nodes\":\"n[1-2]\","
		"\"total_nodes\":2,\"total_cpus\":16,\"max_time_limit\":60}]}",
		"{\"partitions\":[{\"name\":\"a\",\"partition\":{\"state\":[\"UP\"]},\"nodes\":{"
		"\"configured\":\"n[1-2]\",\"total\":2},\"cpus\":{\"total\":16},\"maximums\":{"
		"\"time\":" SET(60) "}}]}",
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		cleanup(json_release) json_t *answer = parse(nodes_text[i]);
		cleanup(json_release) json_t *more = parse(queues_text[i]);
		cleanup(node_list_finish) struct node_list nodes = { 0 };
		cleanup(queue_list_finish) struct queue_list queues = { 0 };

		slurmrest_read_nodes(answer, &nodes);
		assert_int_equal(nodes.len, 2);
		assert_string_equal(nodes.items[0].queues, "a,b");
		assert_int_equal(nodes.items[0].memory, 1 << 30);
		assert_string_equal(nodes.items[1].state, "mixed+drain");
		slurmrest_read_queues(more, &nodes, &queues);
		assert_int_equal(queues.len, 1);
		assert_string_equal(queues.items[0].state, "up");
		assert_string_equal(queues.items[0].node_list, "n[1-2]");
		assert_int_equal(queues.items[0].nodes, 2);
		assert_int_equal(queues.items[0].nodes_idle, 1);
		assert_int_equal(queues.items[0].cpus_used, 3);
		assert_int_equal(queues.items[0].time_limit_ns, 3600 * NSEC_PER_SEC);
	}
}

static void numbers_are_what_they_stand_for(void **state)
{
	static const char *const unset[] = { "{\"a\":" UNSET "}", "{\"a\":" INFINITE "}",
					     "{\"a\":-1}", "{\"a\":null}", "{\"a\":\"x\"}" };
	static const char *const five[] = { "{\"a\":5}", "{\"a\":5.0}", "{\"a\":\"5\"}",
					    "{\"a\":" SET(5) "}" };
	uint64_t number;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(unset); i++) {
		cleanup(json_release) json_t *json = parse(unset[i]);

		assert_false(slurmrest_number(json_object_get(json, "a"), &number));
	}
	for (size_t i = 0; i < ARRAY_LEN(five); i++) {
		cleanup(json_release) json_t *json = parse(five[i]);

		assert_true(slurmrest_number(json_object_get(json, "a"), &number));
		assert_int_equal(number, 5);
	}
}

static void every_option_of_sbatch_has_a_field_in_every_version(void **state)
{
	(void)state;
	for (unsigned int version = SLURMREST_OLDEST; version <= SLURMREST_NEWEST; version++) {
		for (const struct spec_option *option = spec_options; option->name; option++) {
			if (option->sbatch && !slurmrest_has_field(option->name, version))
				fail_msg("--%s has no field in v0.0.%u", option->name, version);
		}
	}
}

/* The text of a member of the job, or of the body, as compact JSON. */
static void check_member(const json_t *json, const char *key, const char *expected)
{
	char *text = json_dumps(json_object_get(json, key), JSON_COMPACT | JSON_ENCODE_ANY);

	if (!text)
		fail_msg("no %s", key);
	assert_string_equal(text, expected);
	free(text);
}

static void submissions_have_the_form_of_their_version(void **state)
{
	static const char *const command[] = { "echo", "it's", NULL };
	struct spec spec = { .command = command,
			     .workdir = "/w",
			     .nodes = 2,
			     .tasks = 1,
			     .memory = 1 << 30,
			     .time_ns = 90 * NSEC_PER_SEC,
			     .gpus_per_node = "a100:2",
			     .gres = "shard:1,x:2",
			     .signal = "USR1@90",
			     .nice = "-5",
			     .exclusive = true,
			     .no_requeue = true,
			     .mail_type = "END,FAIL" };
	struct job record = { .id = 7, .directory = (char *)(uintptr_t) "/j%" };
	const struct submission submission = { .spec = &spec, .job = &record, .bundle = "/b" };
	cleanup(json_release) json_t *old = NULL;
	cleanup(json_release) json_t *new = NULL;
	const json_t *job;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(slurmrest_make_submission(&submission, 38, "me", &old, &err), 0);
	assert_int_equal(slurmrest_make_submission(&submission, 42, "me", &new, &err), 0);
	assert_non_null(strstr(json_string_value(json_object_get(old, "script")), "'it'\\''s'"));
	job = json_object_get(old, "job");
	check_member(job, "nodes", "[2,2]");
	check_member(job, "memory_per_node", "1024");
	check_member(job, "time_limit", "2");
	check_member(job, "gpus_per_node", "\"a100:2\"");
	check_member(job, "signal", "\"USR1@90\"");
	check_member(job, "exclusive", "\"exclusive\"");
	check_member(job, "no_requeue", "true");
	check_member(job, "standard_output", "\"/j%%/stdout\"");
	check_member(job, "standard_input", "\"/j%%/stdin\"");
	assert_true(json_is_object(json_object_get(job, "environment")));
	job = json_object_get(new, "job");
	check_member(job, "nodes", "\"2\"");
	check_member(job, "tres_per_node", "\"gres/gpu:a100:2,gres/shard:1,gres/x:2\"");
	check_member(job, "kill_warning_signal", "\"USR1\"");
	check_member(job, "kill_warning_delay", "90");
	check_member(job, "shared", "[\"none\"]");
	check_member(job, "mail_type", "[\"END\",\"FAIL\"]");
	check_member(job, "nice", "-5");
	assert_true(json_is_array(json_object_get(job, "environment")));
}

static void a_signal_is_for_the_batch_script_unless_it_starts_steps(void **state)
{
	static const char *const command[] = { "true", NULL };
	struct spec spec = {
		.command = command, .workdir = "/w", .nodes = 1, .tasks = 1, .signal = "USR1@90"
	};
	struct job record = { .id = 7, .directory = (char *)(uintptr_t) "/j" };
	const struct submission submission = { .spec = &spec, .job = &record, .bundle = "/b" };
	cleanup(json_release) json_t *batch = NULL;
	cleanup(json_release) json_t *steps = NULL;
	cleanup(json_release) json_t *old = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(slurmrest_make_submission(&submission, 40, "me", &batch, NULL), 0);
	check_member(json_object_get(batch, "job"), "kill_warning_flags", "[\"BATCH_JOB\"]");
	assert_int_equal(slurmrest_make_submission(&submission, 38, "me", &old, &err), -1);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
	assert_non_null(strstr(err.text, "--signal: v0.0.38"));
	spec.tasks = 2;
	assert_int_equal(slurmrest_make_submission(&submission, 40, "me", &steps, NULL), 0);
	assert_null(json_object_get(json_object_get(steps, "job"), "kill_warning_flags"));
	assert_int_equal(slurmrest_make_submission(&submission, 38, "me", &old, &err), 0);
	check_member(json_object_get(old, "job"), "signal", "\"USR1@90\"");
}

static void containers_are_started_in_the_job_directory_as_by_sbatch(void **state)
{
	static const char *const command[] = { "true", NULL };
	struct spec spec = { .command = command,
			     .workdir = "/inside",
			     .nodes = 1,
			     .tasks = 1,
			     .image = "docker://busybox" };
	struct job record = { .id = 7, .directory = (char *)(uintptr_t) "/j" };
	const struct submission submission = {
		.spec = &spec, .job = &record, .bundle = "/b", .home = "/there"
	};
	cleanup(json_release) json_t *body = NULL;
	cleanup_free char *env = NULL;
	const json_t *job;

	(void)state;
	assert_int_equal(slurmrest_make_submission(&submission, 41, "me", &body, NULL), 0);
	job = json_object_get(body, "job");
	check_member(job, "current_working_directory", "\"/j\"");
	assert_non_null(
		strstr(json_string_value(json_object_get(body, "script")), "exec apptainer exec"));
	env = json_dumps(json_object_get(job, "environment"), 0);
	assert_non_null(strstr(env, "\"HOME=/there\""));
}

static void times_to_begin_are_counted_here(void **state)
{
	uint64_t at;

	(void)state;
	assert_true(slurmrest_parse_begin("now", 1000, &at) && at == 1000);
	assert_true(slurmrest_parse_begin("now+90", 1000, &at) && at == 1090);
	assert_true(slurmrest_parse_begin("now+1hour", 1000, &at) && at == 4600);
	assert_true(slurmrest_parse_begin("30m", 1000, &at) && at == 2800);
	assert_true(slurmrest_parse_begin("2026-11-21T08:00", 1000, &at));
	assert_true(slurmrest_parse_begin("2026-11-21T08:00:30", 1000, &at));
	assert_false(slurmrest_parse_begin("teatime", 1000, &at));
	assert_false(slurmrest_parse_begin("2026-11-21T08:00x", 1000, &at));
	assert_false(slurmrest_parse_begin("now+1fortnight", 1000, &at));
}

static void versions_are_read(void **state)
{
	(void)state;
	assert_int_equal(slurmrest_parse_version("v0.0.38"), 38);
	assert_int_equal(slurmrest_parse_version("v0.0.42"), 42);
	assert_int_equal(slurmrest_parse_version("v0.0.37"), 0);
	assert_int_equal(slurmrest_parse_version("v0.0.4000"), 0);
	assert_int_equal(slurmrest_parse_version("0.0.40"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_is_the_same_in_every_version),
		cmocka_unit_test(accounts_tell_the_same),
		cmocka_unit_test(states_are_lists_with_flags),
		cmocka_unit_test(tasks_of_arrays_come_one_by_one_and_in_lists),
		cmocka_unit_test(a_job_is_found_by_its_standard_input),
		cmocka_unit_test(jobs_of_the_user_are_known_by_their_files),
		cmocka_unit_test(what_is_no_job_is_passed_over),
		cmocka_unit_test(nodes_and_partitions_are_read_in_both_forms),
		cmocka_unit_test(numbers_are_what_they_stand_for),
		cmocka_unit_test(every_option_of_sbatch_has_a_field_in_every_version),
		cmocka_unit_test(submissions_have_the_form_of_their_version),
		cmocka_unit_test(a_signal_is_for_the_batch_script_unless_it_starts_steps),
		cmocka_unit_test(containers_are_started_in_the_job_directory_as_by_sbatch),
		cmocka_unit_test(times_to_begin_are_counted_here),
		cmocka_unit_test(versions_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
