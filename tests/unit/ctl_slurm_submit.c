/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "controller/backends/slurm/submit.h"
#include "init/base/alloc.h"

static const char *const command[] = { "true", NULL };

/* Words of an argument vector, joined by spaces. */
static char *joined(const struct argv *argv)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(65536);

	for (size_t i = 0; i < argv->len; i++)
		assert_true(buf_printf(&b, "%s%s", i ? " " : "", argv->items[i]));
	return buf_take_str(&b);
}

static void a_script_is_berth_init_with_the_command_word_for_word(void **state)
{
	const char *const words[] = { "python", "it's", "$HOME;`x`", "a\nb", "", NULL };
	struct spec spec = { .command = words, .workdir = "/w" };
	cleanup(buf_finish) struct buf script = BUF_INIT(SLURM_SCRIPT_MAX);
	cleanup(job_finish) struct job job = { 0 };
	struct submission submission = { .spec = &spec, .job = &job, .bundle = "/b/x y" };

	(void)state;
	job_init(&job);
	job.id = 7;
	job_set(&job, directory, "/j");
	assert_int_equal(slurm_write_script(&submission, &script, NULL), 0);
	assert_string_equal(buf_str(&script),
			    "#!/bin/sh\n# What berth submitted for job-7.\n"
			    "exec '/b/x y/berth-init' --dir /j -- python 'it'\\''s' '$HOME;`x`' "
			    "'a\nb' ''\n");
}

static int script_of(const struct spec *spec, const char *template, struct buf *ret,
		     struct err *err)
{
	cleanup(job_finish) struct job job = { 0 };
	struct submission submission = {
		.spec = spec, .job = &job, .bundle = "/b", .template = template
	};

	job_init(&job);
	job.id = 7;
	job_set(&job, directory, "/j");
	return slurm_write_script(&submission, ret, err);
}

static void a_site_has_a_template_of_its_own(void **state)
{
	const char *const words[] = { "it's", "{{job}}", "\xff", NULL };
	struct spec spec = { .name = "a", .command = words, .workdir = "/w x" };
	cleanup(buf_finish) struct buf script = BUF_INIT(SLURM_SCRIPT_MAX);

	(void)state;
	spec.env = (struct opt_list){ { "A=1", "B=2" }, 2 };
	assert_int_equal(script_of(&spec,
				   "#!/bin/bash\n{{! site }}\ncd {{workdir}}\n{{#env}}\n"
				   "echo {{.}}\n{{/env}}\n{{#image}}no{{/image}}{{{setup}}}exec "
				   "{{{launch}}} # {{job}}\n",
				   &script, NULL),
			 0);
	assert_string_equal(buf_str(&script),
			    "#!/bin/bash\ncd '/w x'\necho A\necho B\n"
			    "exec /b/berth-init --dir /j -- 'it'\\''s' '{{job}}' '\xff' # job-7\n");
	/* A script says itself what it needs. */
	buf_clear(&script);
	spec.script = "#!/bin/sh\n#SBATCH -N1\n";
	spec.script_lines = "#SBATCH -N1\n";
	assert_int_equal(script_of(&spec, "{{{launch}}}", &script, NULL), 0);
	assert_non_null(strstr(buf_str(&script), "job-7.\n#SBATCH -N1\nexec /b/berth-init"));
}

static void a_template_that_starts_nothing_is_refused(void **state)
{
	static const char *const wrong[] = { "#!/bin/sh\n", "exec {{launch}}", "{{#x}}" };
	struct spec spec = { .command = command, .workdir = "/w" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		cleanup(buf_finish) struct buf script = BUF_INIT(SLURM_SCRIPT_MAX);
		struct err err;

		assert_int_equal(script_of(&spec, wrong[i], &script, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_non_null(strstr(err.text, "'template' of the cluster"));
	}
}

static void several_tasks_are_started_by_srun(void **state)
{
	struct spec spec = { .command = command, .workdir = "/w", .tasks = 4, .cpus = 2 };
	cleanup(buf_finish) struct buf script = BUF_INIT(SLURM_SCRIPT_MAX);
	cleanup(job_finish) struct job job = { 0 };
	struct submission submission = { .spec = &spec, .job = &job, .bundle = "/b" };

	(void)state;
	job_init(&job);
	job_set(&job, directory, "/j");
	assert_int_equal(slurm_write_script(&submission, &script, NULL), 0);
	assert_non_null(strstr(buf_str(&script),
			       "\nexec srun --ntasks=4 --cpus-per-task=2 --output=/j/stdout.%t "
			       "--error=/j/stderr.%t /b/berth-init --dir /j -- true\n"));
	buf_clear(&script);
	spec.output = "all"; /* then everything goes there */
	assert_int_equal(slurm_write_script(&submission, &script, NULL), 0);
	assert_null(strstr(buf_str(&script), "--output"));
}

static void an_array_is_one_sbatch_whose_index_is_the_rank(void **state)
{
	struct spec spec = { .command = command, .workdir = "/w", .array = "0-9:2%4" };
	cleanup(buf_finish) struct buf script = BUF_INIT(SLURM_SCRIPT_MAX);
	cleanup(argv_finish) struct argv argv = { 0 };
	cleanup(job_finish) struct job job = { 0 };
	cleanup_free char *options = NULL;
	struct submission submission = { .spec = &spec, .job = &job, .bundle = "/b" };

	(void)state;
	job_init(&job);
	job_set(&job, directory, "/a%b");
	assert_int_equal(slurm_write_script(&submission, &script, NULL), 0);
	assert_non_null(strstr(buf_str(&script), "\nexec /b/berth-init --dir /a%b --rank "
						 "\"$SLURM_ARRAY_TASK_ID\" -- true\n"));
	slurm_add_options(&argv, &submission);
	options = joined(&argv);
	assert_non_null(strstr(options, "--array=0-9:2%4"));
	assert_non_null(strstr(options, "--ntasks=1"));
	assert_non_null(strstr(options, "--output=/a%%b/stdout.%a"));
	assert_non_null(strstr(options, "--error=/a%%b/stderr.%a"));
}

static void each_task_of_an_array_starts_its_ranks_by_srun(void **state)
{
	struct spec spec = { .command = command, .workdir = "/w", .array = "0-9", .tasks = 4 };
	cleanup(buf_finish) struct buf script = BUF_INIT(SLURM_SCRIPT_MAX);
	cleanup(argv_finish) struct argv argv = { 0 };
	cleanup(job_finish) struct job job = { 0 };
	cleanup_free char *options = NULL;
	struct submission submission = { .spec = &spec, .job = &job, .bundle = "/b" };

	(void)state;
	job_init(&job);
	job_set(&job, directory, "/a b");
	assert_int_equal(slurm_write_script(&submission, &script, NULL), 0);
	assert_non_null(strstr(buf_str(&script),
			       "\nexec srun --ntasks=4 "
			       "--output='/a b/stdout'.\"$SLURM_ARRAY_TASK_ID\".%t "
			       "--error='/a b/stderr'.\"$SLURM_ARRAY_TASK_ID\".%t "
			       "/b/berth-init --dir '/a b' "
			       "--rank \"$SLURM_ARRAY_TASK_ID\" --ranks 4 -- true\n"));
	slurm_add_options(&argv, &submission);
	options = joined(&argv);
	assert_non_null(strstr(options, "--ntasks=4"));
	assert_non_null(strstr(options, "--output=/a b/stdout.%a"));
}

static void what_was_asked_for_becomes_options_of_sbatch(void **state)
{
	struct spec spec = { .name = "train",
			     .command = command,
			     .workdir = "/w",
			     .nodes = 2,
			     .tasks = 8,
			     .cpus = 4,
			     .memory = UINT64_C(3) << 30,
			     .time_ns = 61 * NSEC_PER_SEC,
			     .partition = "debug",
			     .account = "p1" };
	cleanup(job_finish) struct job job = { 0 };
	cleanup(argv_finish) struct argv argv = { 0 };
	struct submission submission = { .spec = &spec, .job = &job, .bundle = "/b" };
	cleanup_free char *line = NULL;

	(void)state;
	job_init(&job);
	job_set(&job, directory, "/50%/j");
	slurm_add_options(&argv, &submission);
	line = joined(&argv);
	assert_string_equal(line,
			    "sbatch --parsable --input=/dev/null --export=ALL --job-name=train "
			    "--chdir=/w --output=/50%%/j/stdout --error=/50%%/j/stderr "
			    "--ntasks=8 --nodes=2 --cpus-per-task=4 --mem=3145728K --time=2 "
			    "--partition=debug --account=p1");
}

/* What sbatch would be given for this specification, as one line. */
static char *options_of(const struct spec *spec)
{
	cleanup(job_finish) struct job job = { 0 };
	cleanup(argv_finish) struct argv argv = { 0 };
	struct submission submission = { .spec = spec, .job = &job, .bundle = "/b" };

	job_init(&job);
	job_set(&job, directory, "/j");
	slurm_add_options(&argv, &submission);
	return joined(&argv);
}

static void assert_option(const struct spec *spec, const char *expected, bool there)
{
	cleanup_free char *line = options_of(spec);

	if (!strstr(line, expected) == there)
		fail_msg("'%s' %s %s", line, there ? "has no" : "has", expected);
}

static void every_line_of_the_table_that_names_an_option_of_sbatch_is_rendered(void **state)
{
	(void)state;
	for (const struct spec_option *option = spec_options; option->name; option++) {
		struct spec spec = { .command = command, .workdir = "/w" };
		void *member = (char *)&spec + option->offset;
		cleanup_free char *start = NULL;

		if (!option->sbatch)
			continue;
		start = str_printf(" --%s", option->sbatch);
		assert_option(&spec, start, false);
		if (option->type == OPT_TYPE_STR)
			*(const char **)member = "v $x;*'";
		else if (option->type == OPT_TYPE_FLAG)
			*(bool *)member = true;
		else
			*(uint64_t *)member = UINT64_C(1) << 40;
		assert_true(spec_has(&spec, option));
		assert_option(&spec, start, true);
		if (option->type == OPT_TYPE_STR)
			assert_option(&spec, "=v $x;*'", true);
	}
}

static void a_signal_is_for_the_command(void **state)
{
	struct spec spec = { .command = command, .workdir = "/w", .signal = "USR1@60" };

	(void)state;
	assert_option(&spec, " --signal=B:USR1@60", true);
	spec.tasks = 2;
	assert_option(&spec, " --signal=USR1@60", true);
}

static void what_is_set_is_exported_whatever_else_is(void **state)
{
	struct spec spec = { .command = command,
			     .workdir = "/w",
			     .export_list = "PATH",
			     .env = { { "A=b,c", "B=" }, 2 } };

	(void)state;
	assert_option(&spec, " --export=PATH,A,B ", true);
	spec.export_list = NULL;
	assert_option(&spec, " --export=ALL ", true);
}

static void files_of_the_user_are_slurms_to_write(void **state)
{
	struct spec spec = { .command = command, .workdir = "/w", .output = "o.%j" };

	(void)state;
	assert_option(&spec, " --output=o.%j", true);
	assert_option(&spec, " --error=", false); /* goes there too */
	spec.error = "/e";
	assert_option(&spec, " --error=/e", true);
	spec.output = NULL;
	assert_option(&spec, " --output=/j/stdout", true);
}

static void assert_expands(const char *pattern, const char *expected)
{
	const struct spec spec = { .name = "train", .command = command, .workdir = "/w" };
	cleanup(buf_finish) struct buf path = BUF_INIT(64);
	cleanup(job_finish) struct job job = { 0 };
	const struct submission submission = { .spec = &spec, .job = &job, .bundle = "/b" };

	job_init(&job);
	assert_int_equal(slurm_expand_pattern(pattern, &submission, "42", SLURM_NO_TASK, &path),
			 !!expected);
	if (expected)
		assert_string_equal(buf_str(&path), expected);
}

static void a_pattern_is_the_file_that_slurm_writes(void **state)
{
	(void)state;
	assert_expands("out", "/w/out");
	assert_expands("/x/%x-%j.%A%%", "/x/train-42.42%");
	assert_expands("%N", NULL);
	assert_expands("%5j", NULL);
	assert_expands("a%", NULL);
	assert_expands("a\\%j", NULL);
	assert_expands("/0123456789012345678901234567890123456789012345678901234567890123", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_script_is_berth_init_with_the_command_word_for_word),
		cmocka_unit_test(a_site_has_a_template_of_its_own),
		cmocka_unit_test(a_template_that_starts_nothing_is_refused),
		cmocka_unit_test(several_tasks_are_started_by_srun),
		cmocka_unit_test(an_array_is_one_sbatch_whose_index_is_the_rank),
		cmocka_unit_test(each_task_of_an_array_starts_its_ranks_by_srun),
		cmocka_unit_test(what_was_asked_for_becomes_options_of_sbatch),
		cmocka_unit_test(
			every_line_of_the_table_that_names_an_option_of_sbatch_is_rendered),
		cmocka_unit_test(a_signal_is_for_the_command),
		cmocka_unit_test(what_is_set_is_exported_whatever_else_is),
		cmocka_unit_test(files_of_the_user_are_slurms_to_write),
		cmocka_unit_test(a_pattern_is_the_file_that_slurm_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
