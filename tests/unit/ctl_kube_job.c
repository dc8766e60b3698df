/* SPDX-License-Identifier: MIT */
/* Jobs of Kubernetes: what is asked for. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "controller/backends/kube/indexed.h"
#include "controller/backends/kube/job.h"

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

static void refuses(const struct spec *spec, const char *template, enum err_kind kind,
		    const char *words)
{
	cleanup(json_release) json_t *body = NULL;
	struct err err = { 0 };

	assert_int_equal(make(spec, template, &body, &err), -1);
	if (err.kind != kind || !strstr(err.text, words))
		fail_msg("%d: %s", (int)err.kind, err.text);
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

static void a_task_of_an_array_may_be_several_pods_in_a_row(void **state)
{
	struct spec spec = {
		.command = command, .image = "i", .array = "3,7,9%2", .tasks = 4, .gpus = "8"
	};
	char indices[] = "3,7,9%2";
	const struct job job = { .array = indices, .tasks = 4 };
	uint64_t number = 0;

	(void)state;
	gives(&spec, NULL,
	      "\"spec\":{\"backoffLimitPerIndex\":0,\"completionMode\":\"Indexed\","
	      "\"completions\":12,\"parallelism\":8,");
	gives(&spec, NULL,
	      "{\"name\":\"BERTH_RANK\",\"valueFrom\":" INDEX "},"
	      "{\"name\":\"SLURM_ARRAY_TASK_COUNT\",\"value\":\"3\"},"
	      "{\"name\":\"SLURM_ARRAY_TASK_MIN\",\"value\":\"3\"},"
	      "{\"name\":\"SLURM_ARRAY_TASK_MAX\",\"value\":\"9\"},"
	      "{\"name\":\"SLURM_NTASKS\",\"value\":\"4\"}]");
	gives(&spec, NULL, "\"limits\":{\"nvidia.com/gpu\":\"2\"}");
	gives(&spec, NULL, "\"subdomain\":\"berth-u1\"");
	assert_true(kube_rank_of_index(&job, 6, &number));
	assert_int_equal(number, 30);
	assert_true(kube_index_of_rank(&job, 30, &number));
	assert_int_equal(number, 6);
	assert_false(kube_rank_of_index(&job, 12, &number));
	assert_false(kube_index_of_rank(&job, 32, &number));
	spec.gpus = NULL;
	spec.array = "0-9999";
	spec.tasks = 11;
	refuses(&spec, NULL, ERR_LIMIT, "100000 pods");
	spec.nodes = spec.tasks = 2;
	refuses(&spec, NULL, ERR_UNSUPPORTED, "--nodes");
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

static void what_a_job_says_of_its_pod_is_laid_over_the_template(void **state)
{
	struct spec spec = { .command = command, .image = "i", .user = "7" };
	const char *template =
		"spec:\n  nodeSelector: {a: b, c: d}\n  tolerations: [{key: x}]\n"
		"  imagePullSecrets: [{name: one}]\n  hostname: h\n  containers:\n"
		"  - {name: side, image: x}\n"
		"  - {name: main, tty: true, volumeMounts: [{name: v, mountPath: /a}]}\n";

	(void)state;
	spec.pod = "{nodeSelector: {a: z}, tolerations: [{key: y}], hostname: null, "
		   "imagePullSecrets: [{name: one}, {name: two}], containers: [{name: main, "
		   "volumeMounts: [{name: w, mountPath: /a}, {name: w, mountPath: /b}], "
		   "securityContext: {runAsUser: 1, privileged: false}}]}";
	gives(&spec, template, "\"nodeSelector\":{\"a\":\"z\",\"c\":\"d\"}");
	gives(&spec, template, "\"tolerations\":[{\"key\":\"y\"}]");
	gives(&spec, template, "\"imagePullSecrets\":[{\"name\":\"one\"},{\"name\":\"two\"}]");
	gives(&spec, template,
	      "\"imagePullSecrets\":[{\"name\":\"one\"},{\"name\":\"two\"}],\"nodeSelector\"");
	gives(&spec, template, "[{\"image\":\"x\",\"name\":\"side\"},{\"args\"");
	gives(&spec, template, "\"securityContext\":{\"privileged\":false,\"runAsUser\":7}");
	gives(&spec, template,
	      "\"volumeMounts\":[{\"mountPath\":\"/a\",\"name\":\"w\"},{\"mountPath\":\"/b\",\"name\":\"w\"}]");
	/* All by itself, and with what is around it. */
	gives(&spec, NULL, "\"tolerations\":[{\"key\":\"y\"}]");
	spec.pod = "kind: Pod\nmetadata: {annotations: {a: b}, name: n}\nspec: {hostname: h2}\n";
	gives(&spec, template, "{\"a\":\"b\",\"berth.name\":\"any name\"}");
	gives(&spec, template, "\"hostname\":\"h2\"");
	spec.pod = "kind: Service";
	refuses(&spec, NULL, ERR_INVALID, "--pod: is no pod template");
	spec.pod = "tolerations";
	refuses(&spec, NULL, ERR_INVALID, "--pod: is no pod template");
	spec.pod = "{a: [}";
	refuses(&spec, NULL, ERR_INVALID, "--pod:1");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_is_one_pod_that_is_tried_once),
		cmocka_unit_test(an_entrypoint_replaces_the_images_own),
		cmocka_unit_test(a_template_keeps_what_is_not_ours),
		cmocka_unit_test(what_kubernetes_would_expand_is_written_twice),
		cmocka_unit_test(tasks_of_an_array_are_pods_on_their_own),
		cmocka_unit_test(a_task_of_an_array_may_be_several_pods_in_a_row),
		cmocka_unit_test(ranks_are_pods_with_names_that_end_together),
		cmocka_unit_test(places_are_asked_for_by_labels_and_names),
		cmocka_unit_test(a_template_may_be_a_job),
		cmocka_unit_test(what_a_job_says_of_its_pod_is_laid_over_the_template),
		cmocka_unit_test(what_a_pod_cannot_do_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
