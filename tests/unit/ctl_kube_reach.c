/* SPDX-License-Identifier: MIT */
/* What goes into a pod with its command, where that is, and what is said of programs there. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/backends/kube/bundle.h"
#include "controller/backends/kube/channels.h"
#include "controller/backends/kube/endpoint.h"
#include "controller/backends/kube/handover.h"
#include "controller/backends/kube/pod_init.h"
#include "init/base/fs.h"

static const char *const command[] = { "echo", "$$", "$(A)", NULL };

/* The manifest, keys sorted. */
static char *compose(const struct spec *spec, const struct kube_images *images,
		     const char *template)
{
	cleanup(job_finish) struct job job = { 0 };
	const struct submission submission = {
		.spec = spec, .job = &job, .bundle = "/x", .template = template
	};
	cleanup(json_release) json_t *body = NULL;
	struct err err = { 0 };

	job_init(&job);
	job_set(&job, uid, "u1");
	if (kube_compose(&submission, images, false, &body, &err) < 0)
		fail_msg("%s", err.text);
	return json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
}

static void has(const char *all, const char *text)
{
	if (!strstr(all, text))
		fail_msg("no %s in %s", text, all);
}

static void berth_init_runs_in_front_of_the_command(void **state)
{
	const struct spec spec = { .command = command, .image = "i", .entrypoint = "/sh" };
	const struct kube_images none = { 0 };
	cleanup_free char *all = compose(&spec, &none, NULL);

	(void)state;
	has(all, "\"command\":[\"/berth/berth-init\",\"--dir\",\"/berth-job/job\",\"--rank\",\"0\","
		 "\"--\"]");
	/* Of what Kubernetes would replace nothing is left to replace. */
	has(all, "\"args\":[\"/sh\",\"echo\",\"$$$$\",\"$$(A)\"]");
	has(all, "\"command\":[\"/berth-parts/berth-init\",\"--install\","
		 "\"/berth-parts:/berth:0555\",\"--install\","
		 "\"/berth-secret:/berth-job/job:0700\"],\"image\":\"i\"");
	has(all, "{\"name\":\"berth-secret\",\"secret\":{\"defaultMode\":292,\"secretName\":"
		 "\"berth-u1\"}}");
	has(all, "\"berth.bundle\":\"berth-bundle\"");
}

static void berth_init_is_told_of_holds_and_of_indices_with_gaps(void **state)
{
	struct spec spec = { .command = command, .image = "i", .hold = "5m", .array = "1-5:2%1" };
	const struct kube_images none = { 0 };
	cleanup_free char *gaps = compose(&spec, &none, NULL), *plain = NULL, *ranks = NULL;

	(void)state;
	has(gaps,
	    "\"--rank\",\"$(BERTH_RANK)\",\"--indices\",\"1-5:2%1\",\"--hold\",\"5m\",\"--\"]");
	assert_null(strstr(gaps, "SLURM_ARRAY_TASK_ID"));
	spec.array = "0-5";
	plain = compose(&spec, &none, NULL);
	has(plain, "\"--rank\",\"$(BERTH_RANK)\",\"--hold\",\"5m\",\"--\"]");
	has(plain, "{\"name\":\"SLURM_ARRAY_TASK_ID\",\"valueFrom\":");
	spec.tasks = 2;
	ranks = compose(&spec, &none, NULL);
	has(ranks, "\"--indices\",\"0-5\",\"--ranks\",\"2\",\"--hosts\",\"berth-u1-#.berth-u1\","
		   "\"--hold\"");
	assert_null(strstr(ranks, "SLURM_ARRAY_TASK_ID"));
}

static void the_programs_may_come_by_an_image(void **state)
{
	const struct spec spec = {
		.command = command, .image = "i", .user = "7:8", .memory = 5, .gpus = "1"
	};
	const struct kube_images copied = { .bundle_image = "b" },
				 mounted = { .bundle_volume = "b" };
	cleanup_free char *first = compose(&spec, &copied, NULL);
	cleanup_free char *second = compose(&spec, &mounted, NULL);

	(void)state;
	has(first, "{\"command\":[\"/berth/berth-init\",\"--install\",\"/berth:/berth-copy:0555\"],"
		   "\"image\":\"b\",\"name\":\"berth-bundle\",\"resources\":{\"limits\":{"
		   "\"memory\":\"5\"},\"requests\":{\"memory\":\"5\"}},\"securityContext\":{"
		   "\"runAsGroup\":8,\"runAsUser\":7},");
	has(first, "\"command\":[\"/berth/berth-init\",\"--install\","
		   "\"/berth-secret:/berth-job/job:0700\"],\"image\":\"i\"");
	has(second, "{\"image\":{\"reference\":\"b\"},\"name\":\"berth-bundle\"}");
	has(second, "\"command\":[\"/berth/berth/berth-init\",\"--dir\"");
	assert_null(strstr(second, "berth-parts"));
	assert_null(strstr(second, "berth-copy"));
}

static void what_is_in_the_pod_already_stays(void **state)
{
	const struct spec spec = { .script = "#!/bin/sh\n", .command = command, .image = "i" };
	const struct kube_images none = { 0 };
	cleanup_free char *all =
		compose(&spec, &none,
			"spec:\n  initContainers: [{name: own, image: o}]\n  volumes: [{name: v}]\n"
			"  containers: [{name: main, volumeMounts: [{name: v, mountPath: /v}]}]\n");

	(void)state;
	has(all, "\"args\":[\"/berth-job/job/" SPEC_SCRIPT_NAME "\"]");
	has(all, "{\"image\":\"o\",\"name\":\"own\"}],");
	has(all, "\"volumeMounts\":[{\"mountPath\":\"/v\",\"name\":\"v\"},");
}

static void write_size(const char *dir, const char *name, size_t size)
{
	cleanup_free char *path = fs_join(dir, name), *bytes = new_array(char, size + 1);

	assert_int_equal(fs_write_file_unsynced(path, span_of(bytes, size), 0644, NULL), 0);
}

static void programs_are_spread_over_maps_that_are_small_enough(void **state)
{
	char dir[] = "/tmp/berth-parts-XXXXXX";
	size_t sizes[KUBE_PIECES_MAX] = { 0 }, total = 0;
	struct kube_bundle bundle = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_non_null(mkdtemp(dir));
	write_size(dir, "berth-init", 260000);
	write_size(dir, "berth-tunnel", 2500000);
	write_size(dir, "busybox", 900000);
	write_size(dir, "applets", 0);
	if (kube_bundle_plan(dir, &bundle, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < bundle.len; i++) {
		sizes[bundle.pieces[i].map] += bundle.pieces[i].len;
		total += bundle.pieces[i].len;
	}
	assert_int_equal(total, 260000 + 2500000 + 900000);
	for (unsigned int i = 1; i <= bundle.maps; i++)
		assert_in_range(sizes[i], 1, KUBE_PART_MAX);
	/* What joins the parts is whole, and what is small stays so. */
	assert_int_equal(bundle.pieces[0].part, -1);
	assert_string_equal(bundle.pieces[0].file, "berth-init");
	assert_int_equal(bundle.pieces[1].part, 0);
	assert_int_equal(bundle.pieces[bundle.len - 2].part, -1);
	assert_string_equal(bundle.pieces[bundle.len - 2].file, "busybox");
	assert_int_equal(fs_remove_tree(dir, NULL), 0);
	assert_int_equal(kube_bundle_plan("/nonexistent", &bundle, &err), -1);
}

static bool locate(const char *pod, struct buf *ret)
{
	cleanup(json_release) json_t *json = NULL;
	cleanup(job_finish) struct job job = { 0 };

	job_init(&job);
	job_set(&job, uid, "u1");
	assert_int_equal(json_parse(span_of_str(pod), 4096, &json, NULL), 0);
	return kube_format_endpoint(json, &job, 3, ret);
}

#define RUNNING                                                                            \
	"\"containerStatuses\":[{\"name\":\"main\",\"state\":{\"running\":{\"startedAt\":" \
	"\"2026-11-21T08:00:00Z\"}}}]"

static void a_pod_tells_where_its_tunnel_is(void **state)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(4096);
	cleanup(job_finish) struct job job = { 0 };
	cleanup_free char *expected = NULL;

	(void)state;
	job_init(&job);
	job_set(&job, uid, "u1");
	assert_in_range(kube_port(&job), 20000, 29999);
	expected = str_printf("{\"version\":1,\"rank\":3,\"host\":\"p\",\"uid\":0,\"addresses\":["
			      "\"10.1.2.3:%u\",\"[fd00::1]:%u\"],\"tcp\":[\"10.1.2.3:%u\","
			      "\"[fd00::1]:%u\"],\"started\":1795248000.0}\n",
			      kube_port(&job), kube_port(&job), kube_port(&job), kube_port(&job));
	assert_true(locate("{\"metadata\":{\"name\":\"p\"},\"status\":{\"podIP\":\"10.1.2.3\","
			   "\"podIPs\":[{\"ip\":\"10.1.2.3\"},{\"ip\":\"fd00::1\"},{\"ip\":"
			   "\"; rm\"}]," RUNNING "}}",
			   &text));
	assert_string_equal(buf_str(&text), expected);
	assert_false(locate("{\"metadata\":{\"name\":\"p\"},\"status\":{" RUNNING "}}", &text));
	assert_false(locate("{\"metadata\":{\"name\":\"p\"},\"status\":{\"podIP\":\"10.1.2.3\"}}",
			    &text));
}

static void how_a_program_ended_is_read_from_what_is_said(void **state)
{
	static const struct {
		const char *said;
		int status;
		enum err_kind kind;
	} cases[] = {
		{ "{\"status\":\"Success\"}", 0, ERR_NONE },
		{ "{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":[{"
		  "\"reason\":\"ExitCode\",\"message\":\"3\"}]}}",
		  3, ERR_NONE },
		{ "{\"status\":\"Failure\",\"details\":{\"causes\":[{\"reason\":\"ExitCode\","
		  "\"message\":\"300\"}]},\"message\":\"odd\"}",
		  -1, ERR_UNAVAILABLE },
		{ "{\"status\":\"Failure\",\"message\":\"exec: \\\"x\\\": executable file not found in "
		  "$PATH\"}",
		  -1, ERR_NOT_FOUND },
		{ "no JSON \x1b[2J", -1, ERR_UNAVAILABLE },
		{ "", -1, ERR_UNAVAILABLE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = { 0 };

		assert_int_equal(channels_exit_status(span_of_str(cases[i].said), &err),
				 cases[i].status);
		if (cases[i].status < 0)
			assert_int_equal(err.kind, cases[i].kind);
		assert_null(strchr(err.text, 0x1b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(berth_init_runs_in_front_of_the_command),
		cmocka_unit_test(berth_init_is_told_of_holds_and_of_indices_with_gaps),
		cmocka_unit_test(the_programs_may_come_by_an_image),
		cmocka_unit_test(what_is_in_the_pod_already_stays),
		cmocka_unit_test(programs_are_spread_over_maps_that_are_small_enough),
		cmocka_unit_test(a_pod_tells_where_its_tunnel_is),
		cmocka_unit_test(how_a_program_ended_is_read_from_what_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
