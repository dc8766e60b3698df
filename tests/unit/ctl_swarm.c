/* SPDX-License-Identifier: MIT */
/* What is said to a Docker Swarm, and what it says. */
#include "tests/unit/unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "controller/backends/docker/engine.h"
#include "controller/backends/jobdir.h"
#include "controller/backends/swarm/endpoint.h"
#include "controller/backends/swarm/lists.h"
#include "controller/backends/swarm/nodes.h"
#include "controller/backends/swarm/programs.h"
#include "controller/backends/swarm/service.h"
#include "controller/backends/swarm/task.h"
#include "init/base/alloc.h"

#define UID "00000000-0000000000000001"
#define SECONDS(n) ((uint64_t)(n)*NSEC_PER_SEC)

static const char *const command[] = { "echo", "{{x}}", NULL };
static char uid[] = UID, name[] = "n", empty[] = "", indices[] = "3-9:3,20";

static struct job job_of(uint64_t tasks, bool is_array)
{
	return (struct job){ .uid = uid,
			     .id = 7,
			     .name = name,
			     .tasks = tasks,
			     .array = is_array ? indices : empty,
			     .only = empty };
}

static json_t *parse(const char *text)
{
	json_t *json = NULL;
	struct err err;

	if (json_parse_any(span_of_str(text), 1 << 20, &json, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return json;
}

static int make(const struct spec *spec, const char *config, const struct swarm_parts *parts,
		json_t **ret, struct err *err)
{
	cleanup(json_release) json_t *image = parse(config);
	struct job job = job_of(1, false);
	const struct submission submission = { .spec = spec, .job = &job, .bundle = "/images/x" };

	if (swarm_check(&submission, err) < 0)
		return -1;
	return swarm_make_service(&submission, image, parts, ret, err);
}

/* A member of the body, by its path, as compact JSON. */
static void check(const json_t *body, const char *path, const char *expected)
{
	cleanup_free char *copy = str_dup(path);
	const json_t *member = body;
	char *save = NULL, *text;

	for (char *key = strtok_r(copy, "/", &save); key; key = strtok_r(NULL, "/", &save))
		member = json_is_array(member) ? json_array_get(member, (size_t)(key[0] - '0'))
					       : json_object_get(member, key);
	text = member ? json_dumps(member, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL;
	if (expected ? !text || strcmp(text, expected) != 0 : text != NULL)
		fail_msg("%s is %s, not %s", path, text ? text : "not there",
			 expected ? expected : "missing");
	free(text);
}

static json_t *made(const struct spec *spec, const char *config, const struct swarm_parts *parts)
{
	json_t *body = NULL;
	struct err err;

	if (make(spec, config, parts, &body, &err) < 0)
		fail_msg("%s", err.text);
	return body;
}

#define CONTAINER "TaskTemplate/ContainerSpec/"

static void a_service_has_one_task_that_is_tried_once(void **state)
{
	const struct spec spec = { .command = command, .image = "x:1" };
	const struct swarm_parts parts = { .mount = "volume" };
	cleanup(json_release) json_t *body = made(&spec, "{\"Entrypoint\":[\"/e\"]}", &parts);

	(void)state;
	check(body, "Name", "\"berth-" UID "\"");
	check(body, "Mode", "{\"Replicated\":{\"Replicas\":1}}");
	check(body, "TaskTemplate/RestartPolicy", "{\"Condition\":\"none\"}");
	check(body, CONTAINER "Command",
	      "[\"/berth/berth-init\",\"--install\",\"/berth-secret:/berth-job/job:0700\",\"--\","
	      "\"/berth/berth-init\",\"--dir\",\"/berth-job/job\",\"--rank\",\"0\",\"--\",\"/e\"]");
	/* A Swarm looks for templates in variables and mounts, not in words. */
	check(body, CONTAINER "Args", "[\"echo\",\"{{x}}\"]");
	check(body, CONTAINER "Mounts",
	      "[{\"ReadOnly\":true,\"Source\":\"volume\",\"Target\":\"/berth\","
	      "\"Type\":\"volume\"}]");
	check(body, CONTAINER "User", NULL);
	check(body, "EndpointSpec/Ports/0/PublishMode", "\"host\"");
}

static void secrets_belong_to_whom_the_container_runs_as(void **state)
{
	static const struct {
		const char *user, *config, *owner;
	} cases[] = {
		{ "1000:2000", "{}", "\"GID\":\"2000\",\"Mode\":256," },
		{ NULL, "{\"User\":\"77\"}", "\"GID\":\"0\",\"Mode\":256," },
		{ NULL, "{}", "\"GID\":\"0\",\"Mode\":256," },
		/* The number of a name is known in the image alone. */
		{ NULL, "{\"User\":\"me\"}", "\"GID\":\"0\",\"Mode\":292," },
	};
	cleanup(json_release) json_t *secrets = parse("{\"tunnel.json\":\"id1\"}");
	const struct swarm_parts parts = { .mount = "/b", .secrets = secrets };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct spec spec = { .command = command,
					   .image = "x",
					   .user = cases[i].user };
		cleanup(json_release) json_t *body = made(&spec, cases[i].config, &parts);
		cleanup_free char *expected = str_printf(
			"{%s\"Name\":\"/berth-secret/tunnel.json\",\"UID\":\"%s\"}", cases[i].owner,
			i == 0	 ? "1000"
			: i == 1 ? "77"
				 : "0");

		check(body, CONTAINER "Secrets/0/File", expected);
		check(body, CONTAINER "Secrets/0/SecretID", "\"id1\"");
		check(body, CONTAINER "Secrets/0/SecretName", "\"berth-" UID "-tunnel.json\"");
		/* Who is not root may not make the job directory. */
		check(body, CONTAINER "Mounts/1/Target", i == 2 ? NULL : "\"/berth-job\"");
	}
}

static void programs_come_by_configs_where_there_is_nothing_to_mount(void **state)
{
	cleanup(json_release) json_t *configs =
		parse("{\"berth-0011-berth-init\":\"a\",\"berth-0011-busybox.part00\":\"b\"}");
	const struct swarm_parts parts = { .configs = configs };
	const struct spec spec = { .command = command, .image = "x" };
	cleanup(json_release) json_t *body = made(&spec, "{}", &parts);
	cleanup_free char *part = swarm_part_name("/i/0123456789abcdef99", "busybox", 3);

	(void)state;
	check(body, CONTAINER "Configs/1",
	      "{\"ConfigID\":\"b\",\"ConfigName\":\"berth-0011-busybox.part00\",\"File\":{"
	      "\"GID\":\"0\",\"Mode\":365,\"Name\":\"/berth-parts/busybox.part00\",\"UID\":"
	      "\"0\"}}");
	check(body, CONTAINER "Command/0", "\"/berth-parts/berth-init\"");
	check(body, CONTAINER "Command/2", "\"/berth-parts:/berth:0555\"");
	check(body, CONTAINER "Mounts", "[]");
	assert_string_equal(part, "berth-0123456789abcdef-busybox.part03");
}

static void what_looks_like_a_template_is_left_as_it_is(void **state)
{
	static const char *const texts[][2] = { { "", "" },
						{ "A={}", "A={}" },
						{ "{{x}}", "{{\"{{\"}}x}}" },
						{ "a{{{", "a{{\"{{\"}}{" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		cleanup_free char *text = swarm_escape(texts[i][0]);

		assert_string_equal(text, texts[i][1]);
	}
}

static void slots_are_told_which_rank_they_are(void **state)
{
	cleanup_free char *ranks = swarm_slots(NULL, 2), *tasks = swarm_slots("3-9:3,20%2", 4);
	struct job job = job_of(4, true);
	uint64_t slot;

	(void)state;
	assert_string_equal(ranks, "{{if eq .Task.Slot \"1\"}}0{{else if eq .Task.Slot \"2\"}}1"
				   "{{end}}");
	assert_non_null(strstr(tasks, "\"4\"}}20{{end}}"));
	assert_true(swarm_slot_of_rank(&job, 9, &slot) && slot == 3);
	assert_true(swarm_slot_of_rank(&job, 20, &slot) && slot == 4);
	assert_false(swarm_slot_of_rank(&job, 4, &slot));
	job.array = empty;
	assert_true(swarm_slot_of_rank(&job, 3, &slot) && slot == 4);
	assert_false(swarm_slot_of_rank(&job, 4, &slot));
}

static void nodes_are_chosen_and_shares_kept(void **state)
{
	const struct spec spec = { .command = command,
				   .image = "x",
				   .cpus = 2,
				   .memory = 1 << 20,
				   .constraint = "disk=ssd&!zone=a&node.role==worker",
				   .exclude = "n1,n2",
				   .gpus = "2",
				   .gres = "fpga:3" };
	const struct swarm_parts parts = { .mount = "/b" };
	cleanup(json_release) json_t *body = made(&spec, "{}", &parts);

	(void)state;
	check(body, "TaskTemplate/Placement/Constraints",
	      "[\"node.labels.disk==ssd\",\"node.labels.zone!=a\",\"node.role==worker\","
	      "\"node.hostname!=n1\",\"node.hostname!=n2\"]");
	check(body, "TaskTemplate/Resources/Limits",
	      "{\"MemoryBytes\":1048576,\"NanoCPUs\":2000000000}");
	check(body, "TaskTemplate/Resources/Reservations/GenericResources",
	      "[{\"DiscreteResourceSpec\":{\"Kind\":\"NVIDIA-GPU\",\"Value\":2}},"
	      "{\"DiscreteResourceSpec\":{\"Kind\":\"fpga\",\"Value\":3}}]");
}

static void the_end_of_a_service_is_a_place_that_does_not_exist(void **state)
{
	const struct spec spec = { .command = command, .image = "x", .restart = "always" };
	const struct swarm_parts parts = { .mount = "/b" };
	cleanup(json_release) json_t *body = made(&spec, "{}", &parts);

	(void)state;
	check(body, "TaskTemplate/RestartPolicy", "{\"Condition\":\"any\"}");
	swarm_end_spec(body);
	check(body, "TaskTemplate/Placement", "{\"Constraints\":[\"" SWARM_NOWHERE "\"]}");
	check(body, "TaskTemplate/RestartPolicy", "{\"Condition\":\"none\"}");
	check(body, CONTAINER "Image", "\"x\"");
}

#define TASK(slot, made, state, more)                              \
	"{\"ID\":\"t" made "\",\"ServiceID\":\"s\",\"Slot\":" slot \
	",\"CreatedAt\":\"2026-01-01T00:00:" made                  \
	"Z\",\"NodeID\":\"n\",\"Status\":{\"State\":\"" state      \
	"\",\"Timestamp\":\"2026-01-01T00:01:00Z\"" more "}"
#define ENDED(code) ",\"ContainerStatus\":{\"ContainerID\":\"c\",\"ExitCode\":" code "}"

static struct observation observed(const char *text, uint64_t started_ns, bool is_cancelled)
{
	cleanup(json_release) json_t *json = parse(text);
	struct observation seen;
	struct swarm_task task;

	assert_true(swarm_read_task(json, &task));
	swarm_observe_task(&task, started_ns, is_cancelled, &seen);
	return seen;
}

static void states_are_those_of_the_tasks(void **state)
{
	struct observation seen =
		observed(TASK("1", "01", "pending", ",\"Err\":\"no node\"") "}", 0, false);

	(void)state;
	assert_int_equal(seen.state, JOB_QUEUED);
	assert_string_equal(seen.reason, "no node");
	seen = observed(TASK("1", "01", "preparing", "") "}", 0, false);
	assert_int_equal(seen.state, JOB_STARTING);
	seen = observed(TASK("1", "01", "running", ENDED("0")) "}", 0, false);
	assert_int_equal(seen.state, JOB_RUNNING);
	assert_true(seen.started_ns == engine_time("2026-01-01T00:01:00Z"));
	seen = observed(TASK("1", "01", "complete", ENDED("0")) "}", 5, false);
	assert_int_equal(seen.state, JOB_SUCCEEDED);
	assert_int_equal(seen.exit_code, 0);
	assert_true(seen.started_ns == 5 && seen.ended_ns == engine_time("2026-01-01T00:01:00Z"));
	seen = observed(TASK("1", "01", "failed",
			     ENDED("137") ",\"Err\":\"task: non-zero exit (137)\"") "}",
			0, false);
	assert_int_equal(seen.state, JOB_FAILED);
	assert_int_equal(seen.signal, SIGKILL);
	assert_string_equal(seen.reason, "");
	seen = observed(TASK("1", "01", "rejected", ",\"Err\":\"No such image\"") "}", 0, false);
	assert_int_equal(seen.state, JOB_FAILED);
	assert_int_equal(seen.exit_code, JOB_NO_EXIT_CODE);
	assert_string_equal(seen.reason, "No such image");
	seen = observed(TASK("1", "01", "shutdown", ENDED("4")) "}", 0, true);
	assert_int_equal(seen.state, JOB_CANCELLED);
	assert_int_equal(seen.exit_code, 4);
}

static void a_task_that_is_tried_again_has_not_ended(void **state)
{
	static const char policy[] = ",\"DesiredState\":\"%s\",\"Spec\":{\"RestartPolicy\":{"
				     "\"Condition\":\"%s\"}}}";
	static const struct {
		const char *desired, *condition;
		enum job_state state;
	} cases[] = { { "running", "on-failure", JOB_STARTING },
		      { "running", "none", JOB_FAILED },
		      { "shutdown", "on-failure", JOB_FAILED } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_free char *more = str_printf(policy, cases[i].desired, cases[i].condition);
		cleanup_free char *text =
			str_printf("%s%s", TASK("1", "01", "failed", ENDED("1")), more);

		assert_int_equal(observed(text, 0, false).state, cases[i].state);
	}
}

static void the_time_limit_is_told_by_the_times(void **state)
{
	static const char labels[] = ",\"Spec\":{\"ContainerSpec\":{\"Labels\":{\"berth.limit\":"
				     "\"60\"}}}}";
	uint64_t end = engine_time("2026-01-01T00:01:00Z");
	cleanup_free char *own =
		str_printf("%s%s", TASK("1", "01", "complete", ENDED("0")), labels);
	cleanup_free char *killed =
		str_printf("%s%s", TASK("1", "00", "failed", ENDED("137")), labels);

	(void)state;
	assert_int_equal(observed(own, end - SECONDS(60), false).state, JOB_TIMEOUT);
	assert_int_equal(observed(own, end - SECONDS(59), false).state, JOB_SUCCEEDED);
	/* Nobody saw it start: it may have, when it was made. */
	assert_int_equal(observed(own, 0, false).state, JOB_SUCCEEDED);
	assert_int_equal(observed(killed, 0, false).state, JOB_TIMEOUT);
}

static void of_a_slot_the_last_task_counts_and_none_that_was_made_for_the_end(void **state)
{
	cleanup(json_release) json_t *tasks =
		parse("[" TASK("1", "03", "running", ENDED("0")) "}," TASK(
			"1", "02", "failed",
			ENDED("1")) "}," TASK("2", "01", "running",
					      "") "}," TASK("1", "09", "pending",
							    "") ",\"Spec\":{"
								"\"Placement\":{\"Constraints\":[\"" SWARM_NOWHERE
								"\"]}}},{},3]");
	cleanup(swarm_tasks_finish) struct swarm_tasks all = { 0 };
	const struct swarm_task *task;

	(void)state;
	swarm_tasks_read(tasks, &all);
	assert_int_equal(all.len, 3);
	task = swarm_last_task(&all, 1);
	assert_string_equal(task->id, "t03");
	assert_int_equal(task->position, 0);
	assert_int_equal(swarm_count_attempts(&all, task), 2);
	task = swarm_last_task(&all, 2);
	assert_string_equal(task->id, "t01");
	assert_int_equal(swarm_count_attempts(&all, task), 0);
	assert_null(swarm_last_task(&all, 0));
	assert_null(swarm_last_task(&all, 3));
}

static void a_slot_without_tasks_has_no_last_one(void **state)
{
	cleanup(swarm_tasks_finish) struct swarm_tasks none = { 0 };

	(void)state;
	swarm_tasks_read(NULL, &none);
	assert_null(swarm_last_task(&none, 1));
}

static void an_endpoint_is_what_the_node_publishes(void **state)
{
	struct job job = job_of(1, false);
	cleanup_free char *text =
		str_printf("%s}", TASK("1", "01", "running",
				       ",\"PortStatus\":{\"Ports\":[{\"Protocol\":\"tcp\","
				       "\"TargetPort\":%u,\"PublishedPort\":40001},{"
				       "\"Protocol\":\"udp\",\"TargetPort\":%u,"
				       "\"PublishedPort\":40002},{\"Protocol\":\"udp\","
				       "\"TargetPort\":1,\"PublishedPort\":9}]}"));
	cleanup_free char *filled = NULL;
	cleanup(buf_finish) struct buf file = BUF_INIT(4096);
	cleanup(json_release) json_t *task = NULL;
	char *hole;

	(void)state;
	while ((hole = strstr(text, "%u"))) {
		cleanup_free char *rest = str_dup(hole + 2);

		*hole = '\0';
		filled = str_printf("%s%u%s", text, jobdir_port(&job), rest);
		free(text);
		text = take_ptr(filled);
	}
	task = parse(text);
	assert_true(swarm_format_endpoint(task, "n1", "10.0.0.1", &job, 0, &file));
	assert_non_null(strstr(buf_str(&file), "\"addresses\":[\"10.0.0.1:40002\"],"
					       "\"tcp\":[\"10.0.0.1:40001\"]"));
	buf_clear(&file);
	assert_false(swarm_format_endpoint(task, "n1", "no address", &job, 0, &file));
}

static void nodes_are_told_with_what_they_have(void **state)
{
	cleanup(json_release) json_t *json = parse(
		"{\"ID\":\"i\",\"Spec\":{\"Availability\":\"drain\",\"Labels\":{\"disk\":\"ssd\"}},"
		"\"Description\":{\"Hostname\":\"n\\u0007\",\"Resources\":{\"NanoCPUs\":4000000000,"
		"\"MemoryBytes\":1024,\"GenericResources\":[{\"NamedResourceSpec\":{\"Kind\":"
		"\"GPU\",\"Value\":\"u1\"}},{\"NamedResourceSpec\":{\"Kind\":\"GPU\",\"Value\":"
		"\"u2\"}}]}},\"Status\":{\"State\":\"ready\"}}");
	cleanup(node_list_finish) struct node_list nodes = { 0 };

	(void)state;
	swarm_read_node(json, &nodes);
	assert_int_equal(nodes.len, 1);
	assert_string_equal(nodes.items[0].name, "n?");
	assert_string_equal(nodes.items[0].state, "drained");
	assert_string_equal(nodes.items[0].gres, "GPU:2");
	assert_string_equal(nodes.items[0].features, "disk=ssd");
	assert_int_equal(nodes.items[0].cpus, 4);
	assert_false(node_is_usable(&nodes.items[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_has_one_task_that_is_tried_once),
		cmocka_unit_test(secrets_belong_to_whom_the_container_runs_as),
		cmocka_unit_test(programs_come_by_configs_where_there_is_nothing_to_mount),
		cmocka_unit_test(what_looks_like_a_template_is_left_as_it_is),
		cmocka_unit_test(slots_are_told_which_rank_they_are),
		cmocka_unit_test(nodes_are_chosen_and_shares_kept),
		cmocka_unit_test(the_end_of_a_service_is_a_place_that_does_not_exist),
		cmocka_unit_test(states_are_those_of_the_tasks),
		cmocka_unit_test(a_task_that_is_tried_again_has_not_ended),
		cmocka_unit_test(the_time_limit_is_told_by_the_times),
		cmocka_unit_test(a_slot_without_tasks_has_no_last_one),
		cmocka_unit_test(of_a_slot_the_last_task_counts_and_none_that_was_made_for_the_end),
		cmocka_unit_test(an_endpoint_is_what_the_node_publishes),
		cmocka_unit_test(nodes_are_told_with_what_they_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
