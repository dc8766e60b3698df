/* SPDX-License-Identifier: MIT */
/* Pods that berth did not start: which container is meant, how it is, and what brings programs. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "controller/backends/kube/adopted.h"
#include "controller/backends/kube/courier.h"
#include "controller/backends/kube/foreign.h"
#include "controller/backends/kube/pod_state.h"
#include "init/base/fs.h"

static void a_pod_is_called_with_as_much_as_is_known(void **state)
{
	static const struct {
		const char *name, *namespace, *pod, *container;
	} good[] = { { "web-0", NULL, "web-0", NULL },
		     { "prod/web-0", "prod", "web-0", NULL },
		     { "prod/web-0/app", "prod", "web-0", "app" } };
	static const char *const bad[] = { "", "/", "a/", "/a", "a//b", "a/b/c/d", "a/b/c/" };
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		cleanup(kube_target_finish) struct kube_target target = { 0 };

		assert_int_equal(kube_parse_foreign(good[i].name, &target, &err), 0);
		assert_string_equal(target.pod, good[i].pod);
		assert_true(good[i].namespace ? strcmp(target.namespace, good[i].namespace) == 0
					      : !target.namespace);
		assert_true(good[i].container ? strcmp(target.container, good[i].container) == 0
					      : !target.container);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cleanup(kube_target_finish) struct kube_target target = { 0 };

		assert_int_equal(kube_parse_foreign(bad[i], &target, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

static void the_container_is_kubectls_own_choice(void **state)
{
	cleanup(json_release) json_t *pod = json_loads(
		"{\"metadata\":{\"annotations\":{\"kubectl.kubernetes.io/default-container\":\"b\"}"
		"},\"spec\":{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}}",
		0, NULL);

	(void)state;
	assert_string_equal(kube_text(kube_container_of(pod, NULL), "name"), "b");
	assert_string_equal(kube_text(kube_container_of(pod, "a"), "name"), "a");
	assert_null(kube_container_of(pod, "c"));
	json_object_del(json_object_get(pod, "metadata"), "annotations");
	assert_string_equal(kube_text(kube_container_of(pod, NULL), "name"), "a");
	assert_null(kube_container_of(NULL, NULL));
}

#define POD(phase, state)                                                                          \
	"{\"metadata\":{\"uid\":\"u\"},\"status\":{\"phase\":\"" phase "\",\"containerStatuses\":" \
	"[{\"name\":\"other\",\"state\":{\"running\":{}}},{\"name\":\"app\",\"state\":{" state     \
	"}}]}}"

static void it_is_as_its_container_is_for_as_long_as_it_is_the_pod(void **state)
{
	static const struct {
		const char *pod;
		const char *uid;
		enum job_state state;
		int exit_code;
		const char *reason;
	} cases[] = {
		{ POD("Running", "\"running\":{}"), "u", JOB_RUNNING, JOB_NO_EXIT_CODE, "" },
		{ POD("Running", "\"running\":{}"), "", JOB_RUNNING, JOB_NO_EXIT_CODE, "" },
		{ POD("Running", "\"running\":{}"), "v", JOB_CANCELLED, JOB_NO_EXIT_CODE,
		  "another one is called so" },
		{ POD("Running", "\"waiting\":{\"reason\":\"CrashLoopBackOff\"}"), "u",
		  JOB_STARTING, JOB_NO_EXIT_CODE, "CrashLoopBackOff" },
		{ POD("Running", "\"terminated\":{\"exitCode\":1,\"reason\":\"Error\"}"), "u",
		  JOB_STARTING, JOB_NO_EXIT_CODE, "Error" },
		{ POD("Failed", "\"terminated\":{\"exitCode\":5}"), "u", JOB_FAILED, 5, "" },
		{ POD("Succeeded", "\"terminated\":{\"exitCode\":0}"), "u", JOB_SUCCEEDED, 0, "" },
		{ POD("Failed", ""), "u", JOB_CANCELLED, JOB_NO_EXIT_CODE, "Failed" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup(json_release) json_t *pod = json_loads(cases[i].pod, 0, NULL);
		struct observation seen = { 0 };

		kube_read_adopted(pod, "app", cases[i].uid, &seen);
		if (seen.state != cases[i].state || seen.exit_code != cases[i].exit_code ||
		    !strstr(seen.reason, cases[i].reason))
			fail_msg("%zu: %s %d '%s'", i, job_state_word(seen.state), seen.exit_code,
				 seen.reason);
	}
}

static void what_is_kept_is_read_as_it_was_written(void **state)
{
	char dir[] = "/tmp/berth-unit-XXXXXX";
	cleanup(json_release) json_t *container =
		json_loads("{\"volumeMounts\":[{\"mountPath\":\"/work\"},{\"mountPath\":\"/tmp\"},"
			   "{\"mountPath\":\"/in\",\"readOnly\":true},{\"mountPath\":\"odd\"},{}]}",
			   0, NULL);
	cleanup(adopted_finish) struct adopted adopted = { .pod_uid = str_dup("u") }, again = { 0 };
	cleanup(job_finish) struct job job = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_non_null(mkdtemp(dir));
	job_init(&job);
	job_set(&job, directory, dir);
	assert_int_equal(adopted_read(&job, &again, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	adopted_add_places(&adopted, container);
	assert_string_equal(adopted.places[0], "/");
	assert_string_equal(adopted.places[adopted.places_len - 1], "/work");
	assert_int_equal(adopted.places_len, 6);
	assert_int_equal(adopted_write(&job, &adopted, &err), 0);
	assert_int_equal(adopted_read(&job, &again, &err), 0);
	assert_null(again.place);
	assert_string_equal(again.pod_uid, "u");
	assert_int_equal(again.places_len, 6);
	adopted_finish(&again);
	job_set(&job, uid, "x");
	assert_true(adopted_is_place(&adopted, &job, "/.berth-x"));
	assert_true(adopted_is_place(&adopted, &job, "/work/.berth-x"));
	assert_false(adopted_is_place(&adopted, &job, "/in/.berth-x"));
	assert_false(adopted_is_place(&adopted, &job, "/work/.berth-y"));
	assert_false(adopted_is_place(&adopted, &job, ""));
	adopted.place = str_dup("/data/.berth-x");
	assert_int_equal(adopted_write(&job, &adopted, &err), 0);
	assert_int_equal(adopted_read(&job, &again, &err), 0);
	assert_string_equal(again.place, "/data/.berth-x");
	assert_int_equal(fs_remove_tree(dir, &err), 0);
}

static void a_courier_is_who_the_container_is(void **state)
{
	cleanup(json_release) json_t *pod = json_loads(
		"{\"spec\":{\"containers\":[{\"name\":\"app\",\"securityContext\":{\"runAsUser\":7,"
		"\"capabilities\":{\"drop\":[\"ALL\"]}}}]}}",
		0, NULL);
	cleanup(adopted_finish) struct adopted adopted = { .pod_uid = str_dup("u") };
	char uid[] = "u1";
	const struct job job = { .uid = uid };
	const struct courier courier = {
		.image = "b", .pod = pod, .adopted = &adopted, .job = &job
	};
	cleanup(json_release) json_t *own = NULL;
	cleanup(json_release) json_t *other = NULL;
	cleanup_free char *text = NULL;

	(void)state;
	adopted_add_places(&adopted, NULL);
	own = kube_make_courier(&courier, "n", "app", NULL);
	other = kube_make_courier(&courier, "n", "app", "65532 65533");
	text = json_dumps(own, JSON_COMPACT | JSON_SORT_KEYS);
	assert_non_null(strstr(text, "\"runAsUser\":7"));
	assert_non_null(strstr(text, "\"drop\":[\"ALL\"]"));
	assert_non_null(strstr(text, "\"targetContainerName\":\"app\""));
	assert_non_null(strstr(text, "\"/berth\",\"u1\",\"/\",\"/run\","));
	free(text);
	text = json_dumps(other, JSON_COMPACT | JSON_SORT_KEYS);
	assert_non_null(strstr(text, "\"runAsGroup\":65533,\"runAsUser\":65532"));
}

static int hear(const char *message, char **ret, struct err *err)
{
	cleanup(json_release) json_t *end =
		json_pack("{s:s, s:s}", "reason", "Error", "message", message);

	return kube_read_courier(end, ret, err);
}

static void a_courier_says_where_it_was_or_who_it_should_be(void **state)
{
	cleanup_free char *said = NULL, *user = NULL;
	struct err err = { 0 };
	char *none = NULL;

	(void)state;
	assert_int_equal(hear("place /tmp/.berth-x\n", &said, &err), 1);
	assert_string_equal(said, "/tmp/.berth-x");
	assert_int_equal(hear("user 65532 65533\n", &user, &err), 0);
	assert_string_equal(user, "65532 65533");
	assert_int_equal(hear("user root; x\n", &none, &err), -1);
	assert_int_equal(hear("place elsewhere\n", &none, &err), -1);
	assert_int_equal(hear("\033[2Jno room", &none, &err), -1);
	assert_string_equal(err.text, "Error: ?[2Jno room");
	assert_int_equal(kube_read_courier(NULL, &none, &err), -1);
	assert_null(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pod_is_called_with_as_much_as_is_known),
		cmocka_unit_test(the_container_is_kubectls_own_choice),
		cmocka_unit_test(it_is_as_its_container_is_for_as_long_as_it_is_the_pod),
		cmocka_unit_test(what_is_kept_is_read_as_it_was_written),
		cmocka_unit_test(a_courier_is_who_the_container_is),
		cmocka_unit_test(a_courier_says_where_it_was_or_who_it_should_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
