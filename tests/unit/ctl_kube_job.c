/* SPDX-License-Identifier: MIT */
/* Jobs of Kubernetes: what is asked for, and what is made of the answers. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "controller/backends/kube/events.h"
#include "controller/backends/kube/indexed.h"
#include "controller/backends/kube/job.h"
#include "controller/backends/kube/job_state.h"
#include "controller/backends/kube/pod_state.h"

static const char *const command[] = { "echo", "a b", NULL };

static int make(const struct spec *spec, const char *template, json_t **ret, struct err *err)
{
	struct job job;
	const struct submission submission = { .spec = spec, .job = &job, .template = template };
	int result;

	job_init(&job);
	job.id = 7;
	job_set(&job, uid, "u1");
	job_set(&job, name, "any name");
	result = kube_make_job(&submission, ret, err);
	job_finish(&job);
	return result;
}

/* Whether the manifest has this text in it, keys sorted. */
static void gives(const struct spec *spec, const char *template, const char *text)
{
	cleanup(json_release) json_t *body = NULL;
	cleanup_free char *all = NULL;
	struct err err = { 0 };

	if (make(spec, template, &body, &err) < 0)
		fail_msg("%s", err.text);
	all = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
	if (!strstr(all, text))
		fail_msg("no %s in %s", text, all);
}

static void a_job_is_one_pod_that_is_tried_once(void **state)
{
	const struct spec spec = { .command = command, .image = "i", .time_ns = 1500000000 };

	(void)state;
	gives(&spec, NULL, "\"kind\":\"Job\"");
	gives(&spec, NULL, "\"name\":\"berth-u1\"");
	gives(&spec, NULL, "\"spec\":{\"activeDeadlineSeconds\":2,\"backoffLimit\":0,");
	gives(&spec, NULL, "\"restartPolicy\":\"Never\"");
	gives(&spec, NULL, "\"annotations\":{\"berth.name\":\"any name\"}");
	gives(&spec, NULL, "\"berth.job\":\"7\",\"berth.uid\":\"u1\"");
	gives(&spec, NULL, "{\"args\":[\"echo\",\"a b\"],\"image\":\"i\",\"name\":\"main\"");
}

static void an_entrypoint_replaces_the_images_own(void **state)
{
	struct spec spec = { .command = command, .image = "i", .entrypoint = "/sh" };

	(void)state;
	gives(&spec, NULL, "{\"args\":[\"echo\",\"a b\"],\"command\":[\"/sh\"],");
	spec.entrypoint = "";
	gives(&spec, NULL, "{\"command\":[\"echo\",\"a b\"],\"image\"");
}

static void a_template_keeps_what_is_not_ours(void **state)
{
	const struct spec spec = { .command = command, .image = "i" };

	(void)state;
	gives(&spec, "spec:\n  nodeSelector: {a: \"1\"}\n", "\"nodeSelector\":{\"a\":\"1\"}");
	gives(&spec, "kind: Pod\nmetadata: {labels: {berth.uid: forged, a: b}}\n",
	      "{\"a\":\"b\",\"app.kubernetes.io/managed-by\":\"berth\",\"berth.job\":\"7\","
	      "\"berth.uid\":\"u1\"}");
	gives(&spec, "spec: {containers: [{name: side, image: x}, {name: main, tty: true}]}",
	      "[{\"image\":\"x\",\"name\":\"side\"},{\"args\":[\"echo\",\"a b\"],\"image\":\"i\","
	      "\"name\":\"main\"");
	gives(&spec, "kind: PodTemplate\ntemplate: {spec: {hostname: h}}", "\"hostname\":\"h\"");
}

static void what_kubernetes_would_expand_is_written_twice(void **state)
{
	static const char *const words[] = { "echo", "$$ $(HOME) $x", "$y", NULL };
	const struct spec spec = { .command = words,
				   .image = "i",
				   .env = { .items = { "A=$(B)" }, .len = 1 } };

	(void)state;
	gives(&spec, NULL, "[\"echo\",\"$$$$ $$(HOME) $$x\",\"$y\"]");
	gives(&spec, NULL, "\"env\":[{\"name\":\"A\",\"value\":\"$$(B)\"}]");
}

#define INDEX                                                  \
	"{\"fieldRef\":{\"fieldPath\":\"metadata.annotations[" \
	"'batch.kubernetes.io/job-completion-index']\"}}"

static void tasks_of_an_array_are_pods_on_their_own(void **state)
{
	struct spec spec = {
		.command = command, .image = "i", .array = "0-9%3", .time_ns = NSEC_PER_SEC
	};

	(void)state;
	gives(&spec, NULL,
	      "\"spec\":{\"backoffLimitPerIndex\":0,\"completionMode\":\"Indexed\","
	      "\"completions\":10,\"parallelism\":3,");
	gives(&spec, NULL,
	      "{\"name\":\"BERTH_RANK\",\"valueFrom\":" INDEX "},"
	      "{\"name\":\"SLURM_ARRAY_TASK_ID\",\"valueFrom\":" INDEX "},"
	      "{\"name\":\"SLURM_ARRAY_TASK_COUNT\",\"value\":\"10\"},"
	      "{\"name\":\"SLURM_ARRAY_TASK_MIN\",\"value\":\"0\"},"
	      "{\"name\":\"SLURM_ARRAY_TASK_MAX\",\"value\":\"9\"}");
	gives(&spec, NULL, "\"spec\":{\"activeDeadlineSeconds\":1,\"containers\"");
	spec.restart = "on-failure:2";
	gives(&spec, NULL, "\"backoffLimitPerIndex\":2");
}

static void ranks_are_pods_with_names_that_end_together(void **state)
{
	struct spec spec = { .command = command, .image = "i", .tasks = 2, .gpus = "4" };
	cleanup(json_release) json_t *owner = json_pack("{s:{s:s}}", "metadata", "uid", "U");
	cleanup(json_release) json_t *service = NULL;
	cleanup_free char *text = NULL;
	char uid[] = "u1";
	const struct job job = { .uid = uid };

	(void)state;
	gives(&spec, NULL,
	      "\"spec\":{\"backoffLimit\":0,\"completionMode\":\"Indexed\",\"completions\":2,"
	      "\"parallelism\":2,");
	gives(&spec, NULL, "\"subdomain\":\"berth-u1\"");
	gives(&spec, NULL, "\"value\":\"berth-u1-0.berth-u1\"");
	gives(&spec, NULL, "{\"name\":\"SLURM_PROCID\",\"valueFrom\":" INDEX "}");
	gives(&spec, NULL, "\"limits\":{\"nvidia.com/gpu\":\"2\"}");
	spec.nodes = 2;
	gives(&spec, NULL, "\"topologyKey\":\"kubernetes.io/hostname\"");
	service = kube_make_service(&job, owner);
	text = json_dumps(service, JSON_COMPACT | JSON_SORT_KEYS);
	assert_non_null(strstr(text, "\"clusterIP\":\"None\""));
	assert_non_null(strstr(text, "\"uid\":\"U\""));
}

static void places_are_asked_for_by_labels_and_names(void **state)
{
	struct spec spec = { .command = command,
			     .image = "i",
			     .constraint = "disk=ssd&!old|gpu",
			     .exclude = "n1,n2",
			     .qos = "high",
			     .gres = "amd.com/gpu:2,x.y/z" };

	(void)state;
	gives(&spec, NULL,
	      "\"nodeSelectorTerms\":[{\"matchExpressions\":["
	      "{\"key\":\"disk\",\"operator\":\"In\",\"values\":[\"ssd\"]},"
	      "{\"key\":\"old\",\"operator\":\"DoesNotExist\"},"
	      "{\"key\":\"kubernetes.io/hostname\",\"operator\":\"NotIn\","
	      "\"values\":[\"n1\",\"n2\"]}]},"
	      "{\"matchExpressions\":[{\"key\":\"gpu\",\"operator\":\"Exists\"},");
	gives(&spec, NULL, "\"priorityClassName\":\"high\"");
	gives(&spec, NULL, "\"limits\":{\"amd.com/gpu\":\"2\",\"x.y/z\":\"1\"}");
	/* What a template asks for holds as well. */
	spec.constraint = NULL;
	gives(&spec,
	      "spec: {affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: "
	      "{nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}}}}",
	      "[{\"key\":\"a\",\"operator\":\"Exists\"},{\"key\":\"kubernetes.io/hostname\","
	      "\"operator\":\"NotIn\"");
}

static void a_template_may_be_a_job(void **state)
{
	const struct spec spec = { .command = command, .image = "i", .requeue = true };
	const char *template =
		"kind: Job\nmetadata: {name: x, uid: y, annotations: {a: b}}\nspec:\n"
		"  ttlSecondsAfterFinished: 60\n  backoffLimit: 2\n  selector: {}\n"
		"  template: {spec: {hostname: h}}\nstatus: {}\n";

	(void)state;
	gives(&spec, template, "\"ttlSecondsAfterFinished\":60");
	gives(&spec, template, "\"spec\":{\"backoffLimit\":2,\"podFailurePolicy\":");
	gives(&spec, template, "\"action\":\"Ignore\"");
	gives(&spec, template, "\"hostname\":\"h\"");
	gives(&spec, template, "\"annotations\":{\"a\":\"b\",\"berth.name\"");
	gives(&spec, template, "\"name\":\"berth-u1\"}");
}

static void refuses(const struct spec *spec, const char *template, enum err_kind kind,
		    const char *words)
{
	cleanup(json_release) json_t *body = NULL;
	struct err err = { 0 };

	assert_int_equal(make(spec, template, &body, &err), -1);
	if (err.kind != kind || !strstr(err.text, words))
		fail_msg("%d: %s", (int)err.kind, err.text);
}

static void what_a_pod_cannot_do_is_refused(void **state)
{
	const struct spec plain = { .command = command, .image = "i" };
	const struct {
		struct spec spec;
		const char *words;
	} no[] = {
		{ { .restart = "always" }, "--restart" },
		{ { .restart = "unless-stopped" }, "on-failure:TIMES" },
		{ { .network = "none" }, "--network" },
		{ { .gpus = "a100:2" }, "--gpus" },
		{ { .user = "ann" }, "--user" },
		{ { .nodes = 2, .tasks = 4 }, "--nodes" },
		{ { .partition = "p" }, "--partition" },
		{ { .gres = "gpu:2" }, "--gres" },
		{ { .nodelist = "n[1-2]" }, "--nodelist" },
		{ { .constraint = "a(b)" }, "--constraint" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		struct spec spec = no[i].spec;

		spec.command = command;
		spec.image = "i";
		refuses(&spec, NULL, ERR_UNSUPPORTED, no[i].words);
	}
	refuses(&(struct spec){ .command = command }, NULL, ERR_INVALID, "--image");
	refuses(&(struct spec){ .command = (const char *const[]){ "a\377", NULL }, .image = "i" },
		NULL, ERR_INVALID, "the command: is not text");
	refuses(&(struct spec){ .command = command, .image = "i\377" }, NULL, ERR_INVALID,
		"image: is not text");
	refuses(&plain, "[a]", ERR_INVALID, "no pod template");
	refuses(&plain, "kind: Service", ERR_INVALID, "no pod template");
	refuses(&plain, "a: [", ERR_INVALID, "template:");
	refuses(&plain, "", ERR_INVALID, "is empty");
}

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
	const struct job record = { .tasks = 2, .array = indices };
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
	const struct job record = { .tasks = 6, .array = indices };
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
		cmocka_unit_test(a_job_is_one_pod_that_is_tried_once),
		cmocka_unit_test(an_entrypoint_replaces_the_images_own),
		cmocka_unit_test(a_template_keeps_what_is_not_ours),
		cmocka_unit_test(what_kubernetes_would_expand_is_written_twice),
		cmocka_unit_test(tasks_of_an_array_are_pods_on_their_own),
		cmocka_unit_test(ranks_are_pods_with_names_that_end_together),
		cmocka_unit_test(places_are_asked_for_by_labels_and_names),
		cmocka_unit_test(a_template_may_be_a_job),
		cmocka_unit_test(what_a_pod_cannot_do_is_refused),
		cmocka_unit_test(tasks_that_a_deletion_ends_are_cancelled),
		cmocka_unit_test(tasks_end_each_for_itself),
		cmocka_unit_test(of_ranks_the_first_that_failed_tells),
		cmocka_unit_test(events_say_why_nothing_happens),
		cmocka_unit_test(states_are_those_of_the_job_and_reasons_those_of_its_pod),
		cmocka_unit_test(answers_of_odd_types_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
