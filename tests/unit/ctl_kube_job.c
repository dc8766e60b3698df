/* SPDX-License-Identifier: MIT */
/* Jobs of Kubernetes: what is asked for, and what is made of the answers. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "controller/backends/kube/job.h"
#include "controller/backends/kube/observe.h"

static const char *const command[] = { "echo", "a b", NULL };

static int make(const struct spec *spec, const char *template, json_t **ret, struct err *err)
{
	struct job job;
	const struct submission submission = { .spec = spec, .job = &job, .template = template };
	int result;

	job_init(&job);
	job.id = 7;
	job_set_text(&job.uid, "u1");
	job_set_text(&job.name, "any name");
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
		{ { .hold = "5m" }, "--hold" },
		{ { .network = "none" }, "--network" },
		{ { .shell = "/bin/sh" }, "--shell" },
		{ { .gpus = "a100:2" }, "--gpus" },
		{ { .user = "ann" }, "--user" },
		{ { .nodes = 2 }, "--nodes" },
		{ { .script = "x" }, "batch scripts" },
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

	*ret = (struct observation){ 0 };
	kube_read_job(job, pod, ret);
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
		cmocka_unit_test(what_a_pod_cannot_do_is_refused),
		cmocka_unit_test(states_are_those_of_the_job_and_reasons_those_of_its_pod),
		cmocka_unit_test(answers_of_odd_types_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
