/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "controller/model/job_spec.h"
#include "controller/model/spec.h"

static const char *const command[] = { "true", NULL };

static struct spec plain(void)
{
	return (struct spec){ .command = command, .workdir = "/" };
}

static void set_text(struct spec *spec, const struct spec_option *option, const char *text)
{
	void *member = (char *)spec + option->offset;

	if (option->type == OPT_TYPE_LIST)
		*(struct opt_list *)member = (struct opt_list){ { text }, 1 };
	else
		*(const char **)member = text;
}

static void no_line_break_reaches_the_scheduler(void **state)
{
	static const char *const bad[] = { "", "a\nb", "a\x1b[2J", "\x7f" };
	struct err err;

	(void)state;
	for (const struct spec_option *option = spec_options; option->name; option++) {
		for (size_t i = 0; option->sbatch && i < ARRAY_LEN(bad); i++) {
			struct spec spec = plain();

			if (option->type != OPT_TYPE_STR)
				continue;
			set_text(&spec, option, bad[i]);
			assert_int_equal(spec_check(&spec, &err), -1);
			assert_int_equal(err.kind, ERR_INVALID);
			assert_non_null(strstr(err.text, option->name));
		}
	}
}

static const struct spec_option *find(const char *name)
{
	for (const struct spec_option *option = spec_options; option->name; option++) {
		if (strcmp(option->name, name) == 0)
			return option;
	}
	fail_msg("no option %s", name);
	return NULL;
}

static void values_are_what_their_option_takes(void **state)
{
	static const struct {
		const char *option, *good, *bad;
	} cases[] = {
		{ "partition", "debug,long", "-x" },
		{ "partition", "debug", "two words" },
		{ "dependency", "afterok:12?afterany:13", "--uid=0" },
		{ "constraint", "[rack1|rack2]&gpu*2", "a b" },
		{ "begin", "now+1hour", "\t" },
		{ "begin", "tomorrow 16:00", "\r" },
		{ "comment", "it's - $HOME; *", "a\nb" },
		{ "nice", "-100", "--5" },
		{ "nice", "100", "1.5" },
		{ "priority", "4000", "-1" },
		{ "signal", "USR1@60", "B:USR1" },
		{ "signal", "TERM", "USR1@x" },
		{ "signal", "10", "@60" },
		{ "array", "0-9:2%4", "9-0" },
		{ "array", "1,3,5", "0-9999999" },
		{ "hold", "30m,on-failure", "30m,never" },
		{ "shell", "/bin/sh", "sh" },
		{ "env", "A=b\nc", "A" },
		{ "allow", "h:1", "h:0" },
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct spec spec = plain();

		set_text(&spec, find(cases[i].option), cases[i].good);
		assert_int_equal(spec_check(&spec, &err), 0);
		set_text(&spec, find(cases[i].option), cases[i].bad);
		if (spec_check(&spec, &err) == 0)
			fail_msg("--%s takes '%s'", cases[i].option, cases[i].bad);
	}
}

static void what_excludes_each_other_is_refused(void **state)
{
	struct spec spec = plain();

	(void)state;
	spec.requeue = spec.no_requeue = true;
	assert_int_equal(spec_check(&spec, NULL), -1);
	spec = plain();
	spec.memory = spec.memory_per_cpu = 1;
	assert_int_equal(spec_check(&spec, NULL), -1);
	spec = plain();
	spec.export_list = "NONE";
	assert_int_equal(spec_check(&spec, NULL), 0);
	spec.env = (struct opt_list){ { "A=b" }, 1 };
	assert_int_equal(spec_check(&spec, NULL), -1);
	spec.export_list = "PATH";
	assert_int_equal(spec_check(&spec, NULL), 0);
}

static void ranks_follow_from_nodes_and_tasks(void **state)
{
	struct spec spec = plain();

	(void)state;
	assert_int_equal(spec_ranks(&spec), 1);
	spec.nodes = 3;
	assert_int_equal(spec_ranks(&spec), 3);
	spec.tasks_per_node = 4;
	assert_int_equal(spec_ranks(&spec), 12);
	spec.tasks = 5;
	assert_int_equal(spec_ranks(&spec), 5);
}

static void the_ranks_of_an_array_stay_within_what_a_rank_can_be(void **state)
{
	struct spec spec = plain();
	struct err err;

	(void)state;
	spec.array = "0-99999";
	spec.tasks = 4096;
	assert_int_equal(spec_ranks(&spec), 4096);
	assert_int_equal(spec_check(&spec, &err), 0);
	spec.array = "5,1000000";
	assert_int_equal(spec_check(&spec, &err), -1);
	assert_int_equal(err.kind, ERR_LIMIT);
	assert_non_null(strstr(err.text, "--array: with 4096 ranks each, the index 1000000"));
	spec.tasks = 2;
	assert_int_equal(spec_check(&spec, &err), 0);
	assert_int_equal(spec_check_pods(&spec, &err), 0);
	spec.nodes = 2;
	assert_int_equal(spec_check_pods(&spec, &err), -1);
	assert_non_null(strstr(err.text, "--nodes: of an array"));
}

static void a_machine_without_a_scheduler_says_what_to_do_instead(void **state)
{
	struct err err;

	(void)state;
	for (const struct spec_option *option = spec_options; option->name; option++) {
		struct spec spec = plain();

		if (!option->local)
			continue;
		if (option->type == OPT_TYPE_FLAG)
			*(bool *)((char *)&spec + option->offset) = true;
		else if (option->type == OPT_TYPE_STR || option->type == OPT_TYPE_LIST)
			set_text(&spec, option, "x");
		else
			*(uint64_t *)(void *)((char *)&spec + option->offset) = 1;
		assert_int_equal(spec_check_local(&spec, &err), -1);
		assert_int_equal(err.kind, ERR_UNSUPPORTED);
		assert_non_null(strstr(err.text, option->name));
		assert_non_null(strstr(err.text, option->local));
	}
}

/* What one workstation wrote, another one reads. */
static void read_back(struct spec *spec, struct job *job)
{
	cleanup(buf_finish) struct buf json = BUF_INIT(SPEC_JSON_MAX);

	assert_int_equal(spec_to_json(spec, &json, NULL), 0);
	job_init(job);
	assert_int_equal(job_read_spec(job, buf_span(&json), NULL), 0);
	assert_int_equal(job->tasks, spec_ranks(spec));
}

static void a_record_is_made_again_of_what_was_written_down(void **state)
{
	static const char *const words[] = { "echo", "a b", "\xc3\xbc", NULL };
	struct spec spec = { .command = words,
			     .name = "train",
			     .nodes = 2,
			     .tasks_per_node = 3,
			     .partition = "gpu" };
	cleanup(job_finish) struct job job = { 0 }, array = { 0 }, script = { 0 };

	(void)state;
	read_back(&spec, &job);
	assert_string_equal(job.name, "train");
	assert_string_equal(job.command, "echo 'a b' '\xc3\xbc'");
	assert_string_equal(job.queue, "gpu");
	assert_int_equal(job.nodes, 2);
	spec.array = "0-9:3";
	read_back(&spec, &array);
	assert_string_equal(array.array, "0-9:3");
	spec.array = NULL;
	spec.script = "#!/bin/sh\n";
	read_back(&spec, &script);
	assert_int_equal(script.tasks, 1);
}

static void what_is_no_specification_leaves_the_record_as_it_was(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"command\": []}",
		"{\"command\": [\"a\", 7]}",
		"{\"command\": [\"a\"], \"tasks\": -1}",
		"{\"command\": [\"a\"], \"tasks\": \"2\"}",
		"{\"command\": [\"a\"], \"nodes\": 99999999999999}",
		"{\"command\": [\"a\"], \"name\": \"../x\"}",
		"{\"command\": [\"a\"], \"name\": {}}",
		"{\"command\": [\"a\"], \"array\": \"x-y\"}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cleanup(job_finish) struct job job = { 0 };
		struct err err;

		job_init(&job);
		assert_int_equal(job_read_spec(&job, span_of_str(bad[i]), &err), -1);
		assert_string_equal(job.name, "");
		assert_int_equal(job.tasks, 0);
	}
}

static void containers_are_for_engines_and_queues_are_not(void **state)
{
	struct spec spec = plain();
	struct err err;

	(void)state;
	assert_int_equal(spec_check_engine(&spec, &err), 0);
	assert_int_equal(spec_check_no_engine(&spec, "slurm", &err), 0);
	spec.gpus = "1";
	spec.shm_size = 1;
	spec.mounts = (struct opt_list){ { "/a:/b" }, 1 };
	assert_int_equal(spec_check_engine(&spec, &err), 0);
	assert_int_equal(spec_check_no_engine(&spec, "slurm", &err), -1);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
	assert_string_equal(err.text, "--shm-size: slurm runs no containers: use a cluster with "
				      "backend docker, kubernetes or swarm, or leave it out");
	spec.partition = "debug";
	assert_int_equal(spec_check_engine(&spec, &err), -1);
	assert_non_null(strstr(err.text, "--partition"));
	spec = plain();
	spec.pod = "{}";
	assert_int_equal(spec_check_pods(&spec, &err), 0);
	assert_int_equal(spec_check_engine(&spec, &err), -1);
	assert_non_null(strstr(err.text, "--pod: there is no scheduler: use a cluster with backend "
					 "kubernetes"));
	spec = plain();
	spec.launcher = "podman";
	assert_int_equal(spec_check_engine(&spec, &err), -1);
	assert_non_null(strstr(err.text, "--launcher"));
	spec = plain();
	spec.tasks = 2;
	assert_int_equal(spec_check_engine(&spec, &err), -1);
	assert_non_null(strstr(err.text, "--tasks"));
	/* An image may say the directory itself; nothing else does. */
	spec = plain();
	spec.workdir = NULL;
	assert_int_equal(spec_check(&spec, &err), -1);
	spec.image = "debian:12";
	assert_int_equal(spec_check(&spec, &err), 0);
	spec.workdir = "here";
	assert_int_equal(spec_check(&spec, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_line_break_reaches_the_scheduler),
		cmocka_unit_test(values_are_what_their_option_takes),
		cmocka_unit_test(what_excludes_each_other_is_refused),
		cmocka_unit_test(ranks_follow_from_nodes_and_tasks),
		cmocka_unit_test(the_ranks_of_an_array_stay_within_what_a_rank_can_be),
		cmocka_unit_test(a_record_is_made_again_of_what_was_written_down),
		cmocka_unit_test(what_is_no_specification_leaves_the_record_as_it_was),
		cmocka_unit_test(a_machine_without_a_scheduler_says_what_to_do_instead),
		cmocka_unit_test(containers_are_for_engines_and_queues_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
