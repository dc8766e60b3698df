/* SPDX-License-Identifier: MIT */
/* What a cluster of Kubernetes has, and how it is kept track of. */
#include "tests/unit/unit.h"

#include <string.h>

#include "controller/backends/kube/nodes.h"
#include "controller/backends/kube/quantity.h"
#include "controller/backends/kube/watch.h"

static void quantities_are_read_in_every_form(void **state)
{
	static const struct {
		const char *text;
		uint64_t milli;
	} good[] = {
		{ "0", 0 },
		{ "4", 4000 },
		{ "500m", 500 },
		{ "1100m", 1100 },
		{ "0.1", 100 },
		{ ".5", 500 },
		{ "2.", 2000 },
		{ "1e3", 1000000 },
		{ "1E-2", 10 },
		{ "100k", UINT64_C(100000000) },
		{ "1Ki", 1024000 },
		{ "64Gi", UINT64_C(64) * 1024 * 1024 * 1024 * 1000 },
		{ "1n", 1 },
		{ "250u", 1 },
		{ "1001u", 2 },
		{ "100E", UINT64_MAX },
		{ "1e99", UINT64_MAX },
		{ "3920m", 3920 },
	};
	static const char *const bad[] = { "",	 "m",	"-1",  "1.2.3", "1x",	 "1kb", ".",
					   "1e", "1e+", "1 G", "Gi",	"1e3e3", "1--", "0x10" };
	uint64_t milli = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (!quantity_parse(good[i].text, &milli) || milli != good[i].milli)
			fail_msg("%s: %llu", good[i].text, (unsigned long long)milli);
	}
	milli = 7;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (quantity_parse(bad[i], &milli) || milli != 7)
			fail_msg("'%s' is taken", bad[i]);
	}
}

static json_t *parse(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);

	assert_non_null(json);
	return json;
}

static void what_pods_ask_for_is_in_use(void **state)
{
	cleanup(node_list_finish) struct node_list list = { 0 };
	cleanup(json_release) json_t *nodes = parse(
		"[{\"metadata\":{\"name\":\"n1\",\"labels\":{\"a\":\"b\",\"c\":\"\"}},\"status\":{"
		"\"allocatable\":{\"cpu\":\"7900m\",\"memory\":\"2Gi\",\"amd.com/gpu\":\"2\","
		"\"x.y/fpga\":\"1\",\"ephemeral-storage\":\"1Gi\"},\"conditions\":[{\"type\":"
		"\"Ready\",\"status\":\"True\"}]}},{\"metadata\":{}},7]");
	cleanup(json_release) json_t *pods = parse(
		"[{\"spec\":{\"nodeName\":\"n1\",\"containers\":[{\"resources\":{\"requests\":{"
		"\"cpu\":\"100m\",\"amd.com/gpu\":\"1\"}}},{\"resources\":{\"requests\":{\"cpu\":"
		"\"200m\",\"memory\":\"1Mi\"}}}],\"initContainers\":[{\"resources\":{\"requests\":{"
		"\"cpu\":\"1200m\"}}}]}},{\"spec\":{\"nodeName\":\"n1\",\"containers\":[{"
		"\"resources\":{\"requests\":{\"cpu\":\"5\"}}}]},\"status\":{\"phase\":\"Failed\"}},"
		"{\"spec\":{\"nodeName\":\"n2\",\"containers\":[{}]}}]");

	(void)state;
	kube_read_nodes(nodes, pods, &list);
	assert_int_equal(list.len, 1);
	assert_int_equal(list.items[0].cpus, 7);
	assert_int_equal(list.items[0].cpus_used, 2); /* the largest that runs before, in whole */
	assert_int_equal(list.items[0].memory, UINT64_C(2) << 30);
	assert_int_equal(list.items[0].memory_used, 1 << 20);
	assert_string_equal(list.items[0].gres, "gpu:amd.com/gpu:2,x.y/fpga:1");
	assert_string_equal(list.items[0].gres_used, "gpu:amd.com/gpu:1");
	assert_string_equal(list.items[0].features, "a=b,c");
	assert_string_equal(list.items[0].state, "Ready");
	assert_true(node_is_usable(&list.items[0]));
}

static void nodes_that_take_no_jobs_say_why(void **state)
{
	cleanup(node_list_finish) struct node_list list = { 0 };
	cleanup(json_release) json_t *nodes = parse(
		"[{\"metadata\":{\"name\":\"a\"},\"status\":{\"conditions\":[{\"type\":\"Ready\","
		"\"status\":\"Unknown\",\"reason\":\"NodeStatusUnknown\",\"message\":\"gone\\u001b\"}"
		"]}},{\"metadata\":{\"name\":\"b\"},\"spec\":{\"taints\":[{\"key\":"
		"\"node.kubernetes.io/disk-pressure\",\"effect\":\"NoSchedule\"},{\"key\":\"x\","
		"\"effect\":\"PreferNoSchedule\"}]},\"status\":{\"conditions\":[{\"type\":\"Ready\","
		"\"status\":\"True\"}]}}]");

	(void)state;
	kube_read_nodes(nodes, NULL, &list);
	assert_int_equal(list.len, 2);
	assert_string_equal(list.items[0].state, "NotReady");
	assert_string_equal(list.items[0].reason, "NodeStatusUnknown: gone?");
	assert_string_equal(list.items[1].state, "Ready+Reserved");
	assert_string_equal(list.items[1].reason,
			    "taint node.kubernetes.io/disk-pressure:NoSchedule");
	assert_false(node_is_usable(&list.items[0]));
	assert_false(node_is_usable(&list.items[1]));
}

static void of_several_quotas_the_smallest_counts(void **state)
{
	const struct node_list nodes = { 0 };
	cleanup(queue_list_finish) struct queue_list list = { 0 };
	cleanup(json_release) json_t *namespaces =
		parse("[{\"metadata\":{\"name\":\"a\"},\"status\":{\"phase\":\"Terminating\"}}]");
	cleanup(json_release) json_t *quotas = parse(
		"[{\"metadata\":{\"namespace\":\"a\"},\"status\":{\"hard\":{\"cpu\":\"9\"},\"used\":{"
		"\"cpu\":\"1\"}}},{\"metadata\":{\"namespace\":\"a\"},\"status\":{\"hard\":{"
		"\"requests.cpu\":\"4\"},\"used\":{\"requests.cpu\":\"2\"}}},{\"metadata\":{"
		"\"namespace\":\"b\"},\"status\":{\"hard\":{\"cpu\":\"1\"}}}]");

	(void)state;
	kube_read_queues(namespaces, quotas, &nodes, &list);
	assert_int_equal(list.len, 1);
	assert_string_equal(list.items[0].state, "Terminating");
	assert_int_equal(list.items[0].cpus, 4);
	assert_int_equal(list.items[0].cpus_used, 2);
}

static int apply(const char *line, json_t *items, char **version, struct err *err)
{
	return kube_watch_apply(span_of_str(line), items, version, err);
}

#define OBJECT(more) "\"object\":{\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"" more "\"}}}"

static void events_change_what_is_known(void **state)
{
	cleanup(json_release) json_t *items = json_object();
	cleanup_free char *version = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(apply("{\"type\":\"ADDED\"," OBJECT("1"), items, &version, &err), 1);
	assert_int_equal(apply("{\"type\":\"MODIFIED\"," OBJECT("2"), items, &version, &err), 1);
	assert_int_equal(json_object_size(items), 1);
	assert_int_equal(apply("{\"type\":\"BOOKMARK\"," OBJECT("9"), items, &version, &err), 0);
	assert_string_equal(version, "9");
	assert_int_equal(apply("{\"type\":\"NEWER\"," OBJECT("10"), items, &version, &err), 0);
	assert_int_equal(apply("{\"type\":\"DELETED\"," OBJECT("11"), items, &version, &err), 1);
	assert_int_equal(json_object_size(items), 0);
	assert_int_equal(apply("{\"type\":\"DELETED\"," OBJECT("11"), items, &version, &err), 0);
	assert_int_equal(apply("{\"type\":\"ERROR\",\"object\":{\"code\":410,\"message\":\"old\"}}",
			       items, &version, &err),
			 -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_int_equal(
		apply("{\"type\":\"ERROR\",\"object\":{\"code\":500}}", items, &version, &err), -1);
	assert_int_equal(err.kind, ERR_PROTOCOL);
	assert_int_equal(apply("no event", items, &version, &err), -1);
	assert_int_equal(err.kind, ERR_PROTOCOL);
	assert_string_equal(version, "11");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantities_are_read_in_every_form),
		cmocka_unit_test(what_pods_ask_for_is_in_use),
		cmocka_unit_test(nodes_that_take_no_jobs_say_why),
		cmocka_unit_test(of_several_quotas_the_smallest_counts),
		cmocka_unit_test(events_change_what_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
