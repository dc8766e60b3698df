/* SPDX-License-Identifier: MIT */
/* What nodes have, what of it is free, and which can take something. */
#include "tests/unit/unit.h"

#include <string.h>

#include "controller/backends/local/node.h"
#include "controller/model/failure.h"
#include "controller/model/fit.h"
#include "controller/model/resources.h"

static struct node make(const char *name, const char *queues, const char *state, uint64_t cpus,
			uint64_t used)
{
	return (struct node){
		.name = str_dup(name),
		.queues = str_dup(queues),
		.state = str_dup(state),
		.reason = str_dup(""),
		.gres = str_dup("gpu:a100:4(S:0-1),shard:8"),
		.gres_used = str_dup("gpu:a100:3(IDX:0,2-3)"),
		.features = str_dup("fast,rack1"),
		.cpus = cpus,
		.cpus_used = used,
		.memory = 64,
		.memory_used = used,
	};
}

static void add(struct node_list *list, const char *name, const char *queues, const char *state,
		uint64_t cpus, uint64_t used)
{
	struct node node = make(name, queues, state, cpus, used);

	node_list_take(list, &node);
}

static void gpus_are_counted_by_type_wherever_commas_stand(void **state)
{
	struct gpus gpus = { 0 };
	char text[GPUS_TEXT_SIZE];

	(void)state;
	gpus_add(&gpus, "gpu:a100:2(S:0-1),gpu:1,gpu,shard:8,gpux:9",
		 "gpu:a100:1(IDX:0,1),gpu:2(IDX:N/A)", true);
	gpus_add(&gpus, "gpu:a100:4", "gpu:a100:0", false);
	assert_int_equal(gpus_sum(&gpus, "A100").total, 6);
	assert_int_equal(gpus_sum(&gpus, "a100").free, 1);
	assert_int_equal(gpus_sum(&gpus, NULL).total, 8);
	assert_int_equal(gpus_sum(&gpus, "v100").total, 0);
	gpus_format(&gpus, text);
	assert_string_equal(text, "a100 1/6, 0/2");
}

static void odd_lists_of_gpus_count_nothing_more(void **state)
{
	cleanup_free char *many = str_dup("");
	struct gpus gpus = { 0 };
	char text[GPUS_TEXT_SIZE];

	(void)state;
	gpus_add(&gpus, "gpu:,gpu:a:-1,gpu:99999999999,gpu:x:1(((,,,", ",,:,()", true);
	for (int i = 0; i < 40; i++) {
		char *next = str_printf("%sgpu:%047d:65536,", many, i);

		free(many);
		many = next;
	}
	gpus_add(&gpus, many, "", true);
	assert_int_equal(gpus.len, GPUS_TYPES_MAX);
	gpus_format(&gpus, text);
	assert_true(strlen(text) < sizeof(text));
}

static void what_users_ask_for_is_a_number_with_or_without_a_type(void **state)
{
	char type[GPUS_TYPE_SIZE];
	uint64_t count;

	(void)state;
	assert_true(gpus_parse_request("2", type, &count));
	assert_string_equal(type, "");
	assert_true(gpus_parse_request("a100:3", type, &count));
	assert_string_equal(type, "a100");
	assert_int_equal(count, 3);
	assert_false(gpus_parse_request("a100", type, &count));
	assert_false(gpus_parse_request(":3", type, &count));
	assert_false(gpus_parse_request("", type, &count));
}

static void a_node_is_usable_unless_a_word_of_its_state_says_otherwise(void **state)
{
	static const struct {
		const char *state;
		bool usable;
	} cases[] = { { "idle", true },
		      { "mixed+planned", true },
		      { "idle+cloud+powered_down", true },
		      { "allocated", true },
		      { "idle*", false },
		      { "IDLE+DRAIN", false },
		      { "down", false },
		      { "unknown+invalid_reg", false },
		      { "idle+maint", false },
		      { "", false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct node node = make("n", "q", cases[i].state, 1, 0);

		assert_int_equal(node_is_usable(&node), cases[i].usable);
		node_finish(&node);
	}
}

static void a_node_of_two_queues_counts_in_both_and_once_in_all(void **state)
{
	cleanup(node_list_finish) struct node_list nodes = { 0 };
	cleanup(resource_list_finish) struct resource_list list = { 0 };

	(void)state;
	add(&nodes, "n1", "z,a", "mixed", 32, 8);
	add(&nodes, "n2", "z", "down", 16, 0);
	add(&nodes, "n3", "", "idle", 4, 0);
	resource_list_init(&list, &nodes);
	assert_int_equal(list.len, 3);
	assert_string_equal(list.items[0].queue, "a");
	assert_int_equal(list.items[1].cpus.total, 48);
	assert_int_equal(list.items[1].cpus.free, 24);
	assert_null(list.items[2].queue);
	assert_int_equal(list.items[2].cpus.total, 52);
	assert_int_equal(list.items[2].nodes.free, 1);
	assert_int_equal(list.items[2].memory.used, 8);
	assert_int_equal(gpus_sum(&list.items[2].gpus, NULL).free, 2);
}

static enum node_fit fit(const char *state, uint64_t used, struct node_request request)
{
	struct node node = make("n1", "debug,gpu", state, 32, used);
	enum node_fit result = fit_node(&node, &request);

	node_finish(&node);
	return result;
}

static void queues_of_a_node_stand_in_one_order_however_they_are_told(void **state)
{
	static const char *const told[][4] = { { "gpu", "debug", "long", "gpus" },
					       { "long", "gpus", "gpu", "debug" },
					       { "debug", "gpu", "gpus", "long" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(told); i++) {
		cleanup(node_list_finish) struct node_list nodes = { 0 };

		for (size_t n = 0; n < ARRAY_LEN(told[i]); n++)
			add(&nodes, "n1", told[i][n], "idle", 8, 0);
		assert_int_equal(nodes.len, 1);
		assert_string_equal(nodes.items[0].queues, "debug,gpu,gpus,long");
	}
}

static void a_node_fits_now_later_or_never(void **state)
{
	(void)state;
	assert_int_equal(fit("mixed", 8, (struct node_request){ .cpus = 24 }), FIT_NOW);
	assert_int_equal(fit("mixed", 8, (struct node_request){ .cpus = 25 }), FIT_LATER);
	assert_int_equal(fit("mixed", 8, (struct node_request){ .cpus = 33 }), FIT_NEVER);
	assert_int_equal(fit("down", 0, (struct node_request){ .cpus = 1 }), FIT_OUT_OF_ORDER);
	assert_int_equal(fit("allocated", 32, (struct node_request){ .memory = 1 }), FIT_LATER);
	assert_int_equal(fit("mixed", 8, (struct node_request){ .gpus = 2 }), FIT_LATER);
	assert_int_equal(fit("mixed", 8, (struct node_request){ .gpus = 1, .gpu_type = "v100" }),
			 FIT_NEVER);
	assert_int_equal(fit("mixed", 8, (struct node_request){ .queue = "g*" }), FIT_NOW);
	assert_int_equal(fit("mixed", 8, (struct node_request){ .queue = "debug,gpu" }), FIT_NEVER);
	assert_int_equal(fit("idle+cloud", 0, (struct node_request){ .state = "IDLE" }), FIT_NOW);
	assert_int_equal(fit("idling", 0, (struct node_request){ .state = "idle" }), FIT_NEVER);
}

static void nodes_without_the_features_never_fit(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(fit("idle", 0, (struct node_request){ .constraint = "(x|rack1)&fast" }),
			 FIT_NOW);
	assert_int_equal(fit("idle", 0, (struct node_request){ .constraint = "slow" }), FIT_NEVER);
	assert_int_equal(fit_check(&(struct node_request){ .constraint = "fast&" }, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

static void the_nodes_that_have_most_come_first(void **state)
{
	cleanup(node_list_finish) struct node_list nodes = { 0 };
	cleanup(fit_list_finish) struct fit_list list = { 0 };

	(void)state;
	add(&nodes, "n1", "q", "mixed", 64, 60);
	add(&nodes, "n2", "q", "idle", 32, 0);
	add(&nodes, "n3", "q", "down", 99, 0);
	add(&nodes, "n4", "q", "idle", 32, 0);
	add(&nodes, "n5", "q", "allocated", 8, 8);
	fit_list_init(&list, &nodes, &(struct node_request){ 0 });
	assert_int_equal(list.counts.now, 3);
	assert_int_equal(list.counts.later, 1);
	assert_int_equal(list.counts.out_of_order, 1);
	fit_list_sort(&list, FIT_CPUS, NULL, false);
	assert_int_equal(list.nodes.len, 3);
	assert_string_equal(list.nodes.items[0].name, "n2");
	assert_string_equal(list.nodes.items[1].name, "n4");
	fit_list_cut(&list, 2);
	assert_int_equal(list.nodes.len, 2);
	fit_list_sort(&list, FIT_GPUS, "v100", true);
	assert_int_equal(list.nodes.len, 0);
}

static void a_failure_is_explained_by_what_says_most(void **state)
{
	static const struct {
		enum job_state state;
		const char *native, *reason;
		int exit_code, signal;
		const char *part;
	} cases[] = {
		{ JOB_FAILED, "OUT_OF_MEMORY", "", 1, 9, "--mem" },
		{ JOB_FAILED, "NODE_FAIL", "", JOB_NO_EXIT_CODE, 0, "node failed" },
		{ JOB_FAILED, "FAILED", "", 127, 0, "not found" },
		{ JOB_FAILED, "FAILED", "NonZeroExitCode", 4, 0, "exit status 4" },
		{ JOB_FAILED, "FAILED", "", JOB_NO_EXIT_CODE, 11, "signal 11" },
		{ JOB_TIMEOUT, "TIMEOUT", "TimeLimit", JOB_NO_EXIT_CODE, 0, "--time" },
		{ JOB_CANCELLED, "CANCELLED by 0", "", JOB_NO_EXIT_CODE, 15,
		  "not with this berth" },
		{ JOB_FAILED, "FAILED", "odd", JOB_NO_EXIT_CODE, 0, "odd" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup(job_finish) struct job job = { 0 };
		char text[FAILURE_TEXT_MAX];

		job_init(&job);
		job.state = cases[i].state;
		job.exit_code = cases[i].exit_code;
		job.signal = cases[i].signal;
		job_set(&job, native_state, cases[i].native);
		job_set(&job, reason, cases[i].reason);
		failure_explain(&job, text, sizeof(text));
		assert_non_null(strstr(text, cases[i].part));
	}
}

static void memory_of_this_machine_is_read_in_kilobytes(void **state)
{
	(void)state;
	assert_int_equal(local_parse_available("MemTotal: 9 kB\nMemAvailable:   12 kB\n"), 12288);
	assert_int_equal(local_parse_available("MemAvailable: 99999999999999999999 kB"), 0);
	assert_int_equal(local_parse_available("MemAvailable:"), 0);
	assert_int_equal(local_parse_available(""), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gpus_are_counted_by_type_wherever_commas_stand),
		cmocka_unit_test(odd_lists_of_gpus_count_nothing_more),
		cmocka_unit_test(what_users_ask_for_is_a_number_with_or_without_a_type),
		cmocka_unit_test(a_node_is_usable_unless_a_word_of_its_state_says_otherwise),
		cmocka_unit_test(a_node_of_two_queues_counts_in_both_and_once_in_all),
		cmocka_unit_test(queues_of_a_node_stand_in_one_order_however_they_are_told),
		cmocka_unit_test(a_node_fits_now_later_or_never),
		cmocka_unit_test(nodes_without_the_features_never_fit),
		cmocka_unit_test(the_nodes_that_have_most_come_first),
		cmocka_unit_test(a_failure_is_explained_by_what_says_most),
		cmocka_unit_test(memory_of_this_machine_is_read_in_kilobytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
