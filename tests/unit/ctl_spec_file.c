/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "controller/model/spec_file.h"
#include "init/base/alloc.h"

#define MIB (UINT64_C(1) << 20)

static void assert_refused(const char *text, const char *expected)
{
	cleanup(spec_file_finish) struct spec_file file = { 0 };
	struct err err;

	assert_int_equal(spec_file_parse("f", span_of_str(text), &file, &err), -1);
	assert_string_equal(err.text, expected);
}

static void a_file_holds_several_jobs(void **state)
{
	cleanup(spec_file_finish) struct spec_file file = { 0 };
	const char *text = "# jobs\nname: train\ncommand: [python, a b.py, \"3\"]\nbackend: slurm\n"
			   "nodes: 2\ncpus_per_task: 4\nmem: 4G\ntime: 1h30m\nexclusive: true\n"
			   "env:\n  A: 1\n  B: x=y z\nallow: [host:1, host:2]\n--- \n"
			   "{\"command\": \"echo $HOME\", \"queue\": \"debug\"}\n---\n";
	struct err err;

	(void)state;
	if (spec_file_parse("f", span_of_str(text), &file, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(file.len, 2);
	assert_string_equal(file.items[0]->spec.name, "train");
	assert_string_equal(file.items[0]->backend, "slurm");
	assert_string_equal(file.items[0]->spec.command[1], "a b.py");
	assert_string_equal(file.items[0]->spec.command[2], "3");
	assert_null(file.items[0]->spec.command[3]);
	assert_int_equal(file.items[0]->spec.nodes, 2);
	assert_int_equal(file.items[0]->spec.cpus, 4);
	assert_int_equal(file.items[0]->spec.memory, 4096 * MIB);
	assert_int_equal(file.items[0]->spec.time_ns, 5400 * NSEC_PER_SEC);
	assert_true(file.items[0]->spec.exclusive);
	assert_int_equal(file.items[0]->spec.env.len, 2);
	assert_string_equal(file.items[0]->spec.env.items[1], "B=x=y z");
	assert_int_equal(file.items[0]->spec.allow.len, 2);
	assert_null(file.items[1]->backend);
	assert_string_equal(file.items[1]->spec.command[0], "/bin/sh");
	assert_string_equal(file.items[1]->spec.command[2], "echo $HOME");
	assert_string_equal(file.items[1]->spec.partition, "debug");
}

static void what_is_wrong_is_said_with_its_place(void **state)
{
	(void)state;
	assert_refused("command: [a]\nnoeds: 2\n",
		       "f:2:1: 'noeds': no such key: did you mean 'nodes'?");
	assert_refused("colour: red\n", "f:1:1: 'colour': no such key: see berth-run's options");
	assert_refused("nodes: many\n", "f:1:8: 'nodes': 'many' is not a number");
	assert_refused("\n  time: soon\n",
		       "f:2:9: 'time': 'soon' is not a duration: write it like 90s, 30m or 2h");
	assert_refused("mem: x\n", "f:1:6: 'mem': 'x' is not a size: write it like 512M or 4G");
	assert_refused("exclusive: maybe\n",
		       "f:1:12: 'exclusive': 'maybe' is neither true nor false");
	assert_refused("nodes: 1\n%e \xda\n", "f:2: is not text in UTF-8: save the file as that");
	assert_refused("nodes: [1]\n", "f:1:1: 'nodes': one text or number is needed here");
	assert_refused("name:\n", "f:1:1: 'name': has no value: leave the key out, or write \"\"");
	assert_refused("a: [1\nb: 2\n", "f:3:1: flow sequence without a closing bracket");
	assert_refused("name: a\nname: b\n", "f:2:1: duplicate key");
	assert_refused("command: &x [a]\nname: *x\n",
		       "f:2:1: 'name': aliases are not understood: write it out");
	assert_refused("- a\n", "f: a job is written as KEY: VALUE lines");
	assert_refused("", "f: there is no job in it");
	assert_refused("# nothing\n---\n", "f: there is no job in it");
}

static void a_batch_script_is_taken_as_it_is(void **state)
{
	const char *text = "#!/bin/bash -l\n# words\n#SBATCH -J train --nodes 2-4\n"
			   "#SBATCH\t-t1-02:03:04 --mem=100 --constraint=\"a&b\" # -n 9\n"
			   "#SBATCH --no-such=1 -o out.%j -e 'my err' --exclusive=user\n"
			   "#SBATCH-q x\n\n  \necho hi\n#SBATCH -n 8\n";
	cleanup(spec_file_finish) struct spec_file file = { 0 };
	const struct spec *spec;
	struct err err;

	(void)state;
	if (spec_file_parse("/x/job.sh", span_of_str(text), &file, &err) < 0)
		fail_msg("%s", err.text);
	spec = &file.items[0]->spec;
	assert_string_equal(spec->script, text);
	assert_string_equal(spec->script_lines,
			    "#SBATCH -J train --nodes 2-4\n"
			    "#SBATCH\t-t1-02:03:04 --mem=100 --constraint=\"a&b\" # -n 9\n"
			    "#SBATCH --no-such=1 -o out.%j -e 'my err' --exclusive=user\n"
			    "#SBATCH-q x\n");
	assert_string_equal(file.items[0]->backend, "slurm");
	assert_string_equal(spec->command[0], "job.sh");
	assert_string_equal(spec->name, "train");
	assert_string_equal(spec->qos, "x");
	assert_int_equal(spec->nodes, 2);
	assert_int_equal(spec->tasks, 0);
	assert_int_equal(spec->time_ns, UINT64_C(93784) * NSEC_PER_SEC);
	assert_int_equal(spec->memory, 100 * MIB);
	assert_string_equal(spec->constraint, "a&b");
	assert_string_equal(spec->output, "out.%j");
	assert_string_equal(spec->error, "my err");
	assert_true(spec->exclusive);
	assert_int_equal(spec_ranks(spec), 1);
}

static void a_limit_of_a_script_is_in_slurms_notation(void **state)
{
	static const struct {
		const char *text;
		uint64_t seconds;
	} cases[] = {
		{ "90", 5400 },	    { "1:30", 90 },   { "1:00:00", 3600 }, { "1-0", 86400 },
		{ "1-1:1", 90060 }, { "0-0:0:9", 9 }, { "soon", 0 },	   { "1:2:3:4", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup(spec_file_finish) struct spec_file file = { 0 };
		char text[80];

		snprintf(text, sizeof(text), "#!/bin/sh\n#SBATCH --time=%s\n", cases[i].text);
		assert_int_equal(spec_file_parse("f", span_of_str(text), &file, NULL), 0);
		assert_int_equal(file.items[0]->spec.time_ns, cases[i].seconds * NSEC_PER_SEC);
	}
}

static void the_array_of_a_script_is_known(void **state)
{
	static const char *const texts[] = { "-n 2 -a 0-9%3", "-a0-9%3", "--arr=0-9%3",
					     "--array 0-9%3" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		cleanup(spec_file_finish) struct spec_file file = { 0 };
		cleanup_free char *text = str_printf("#!/bin/sh\n#SBATCH %s\n", texts[i]);

		assert_int_equal(spec_file_parse("f", span_of_str(text), &file, NULL), 0);
		assert_string_equal(file.items[0]->spec.array, "0-9%3");
		assert_int_equal(spec_ranks(&file.items[0]->spec), 1); /* it starts its own */
	}
}

static void options_that_make_no_single_job_are_refused_with_the_alternative(void **state)
{
	(void)state;
	assert_refused("#!/bin/sh\n#SBATCH -W\n", "f:2: --wait: use 'berth submit --wait'");
	assert_refused("#!/bin/sh\n#SBATCH hetjob\n",
		       "f:2: --hetjob: berth follows single jobs: submit it with sbatch");
}

static void lines_of_other_schedulers_reach_sbatch_which_knows_them(void **state)
{
	const char *text = "#!/bin/sh\n#PBS -N their-name\n#BSUB -q long\n#PBX\n";
	cleanup(spec_file_finish) struct spec_file file = { 0 };

	(void)state;
	assert_int_equal(spec_file_parse("f", span_of_str(text), &file, NULL), 0);
	assert_string_equal(file.items[0]->spec.script_lines,
			    "#PBS -N their-name\n#BSUB -q long\n");
	assert_string_equal(file.items[0]->spec.name, "their-name");
	assert_true(file.items[0]->spec.script_has_name);
	assert_string_equal(file.items[0]->spec.script_beyond, "PBS");
}

static void a_script_says_in_lines_of_its_own_what_sbatch_has_no_option_for(void **state)
{
	const char *text = "#!/bin/sh\n#BERTH --image debian:12 --env=A='b c' --no-motd # so\n"
			   "#BERTHS --image no\n#BERTH --qos high\n";
	cleanup(spec_file_finish) struct spec_file file = { 0 };
	const struct spec *spec;
	struct err err;

	(void)state;
	if (spec_file_parse("f", span_of_str(text), &file, &err) < 0)
		fail_msg("%s", err.text);
	spec = &file.items[0]->spec;
	assert_string_equal(spec->image, "debian:12");
	assert_string_equal(spec->env.items[0], "A=b c");
	assert_true(spec->no_motd);
	assert_string_equal(spec->script_lines, "#SBATCH --qos='high'\n");
	assert_refused("#!/bin/sh\n\n#BERTH --imag x\n",
		       "f:3: '--imag' is no option of a job: 'berth run --help' names them");
	assert_refused("#!/bin/sh\n#BERTH --image\n", "f:2: --image needs a value");
	assert_refused("#!/bin/sh\n#BERTH --nodes x\n", "f:2: --nodes: 'x' is not a number");
}

static void what_is_given_goes_before_what_the_file_says(void **state)
{
	const char *text = "#!/bin/sh\n#SBATCH -p slow -t 10\n";
	const char *jobs = "command: a\nnodes: 2\nenv: {A: 1}\n";
	struct spec given = { .name = "other",
			      .partition = "it's",
			      .time_ns = 90 * NSEC_PER_SEC,
			      .memory = 512 * MIB,
			      .tasks = 3,
			      .exclusive = true,
			      .image = "x",
			      .env = { { "B=2" }, 1 } };
	const struct spec bad = { .comment = "'\"" };
	cleanup(spec_file_finish) struct spec_file script = { 0 }, file = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(spec_file_parse("f", span_of_str(text), &script, NULL), 0);
	assert_int_equal(spec_override(&script, &script.items[0]->spec, &given, &err), 0);
	assert_string_equal(script.items[0]->spec.script_lines,
			    "#SBATCH -p slow -t 10\n#SBATCH --ntasks=3\n#SBATCH --mem=524288K\n"
			    "#SBATCH --exclusive\n#SBATCH --time=2\n"
			    "#SBATCH --partition=\"it's\"\n#SBATCH --job-name='other'\n");
	assert_string_equal(script.items[0]->spec.partition, "it's");
	assert_string_equal(script.items[0]->spec.image, "x");
	assert_int_equal(spec_override(&script, &script.items[0]->spec, &bad, &err), -1);
	assert_non_null(strstr(err.text, "write it into its #SBATCH lines"));
	given.nodes = 5;
	assert_int_equal(spec_file_parse("f", span_of_str(jobs), &file, NULL), 0);
	assert_int_equal(spec_override(&file, &file.items[0]->spec, &given, &err), 0);
	assert_int_equal(file.items[0]->spec.nodes, 5);
	assert_int_equal(file.items[0]->spec.env.len, 2);
	assert_string_equal(file.items[0]->spec.name, "other");
	assert_null(file.items[0]->spec.script_lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_holds_several_jobs),
		cmocka_unit_test(what_is_wrong_is_said_with_its_place),
		cmocka_unit_test(a_batch_script_is_taken_as_it_is),
		cmocka_unit_test(a_limit_of_a_script_is_in_slurms_notation),
		cmocka_unit_test(the_array_of_a_script_is_known),
		cmocka_unit_test(lines_of_other_schedulers_reach_sbatch_which_knows_them),
		cmocka_unit_test(a_script_says_in_lines_of_its_own_what_sbatch_has_no_option_for),
		cmocka_unit_test(what_is_given_goes_before_what_the_file_says),
		cmocka_unit_test(options_that_make_no_single_job_are_refused_with_the_alternative),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
