/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "controller/model/job.h"
#include "controller/model/json.h"
#include "controller/model/ref.h"
#include "controller/model/spec.h"

static void every_state_is_read_back_from_its_word(void **state)
{
	(void)state;
#define X(name, ended)                                                             \
	assert_int_equal(job_state_parse(job_state_word(JOB_##name)), JOB_##name); \
	assert_int_equal(job_state_is_ended(JOB_##name), ended);
	JOB_STATES(X)
#undef X
	assert_int_equal(job_state_parse("HIBERNATING"), JOB_UNKNOWN);
	assert_int_equal(job_state_parse(""), JOB_UNKNOWN);
}

static void the_end_of_a_job_is_explained_by_what_is_known(void **state)
{
	cleanup(job_finish) struct job job = { 0 };
	char why[80];

	(void)state;
	job_init(&job);
	job.state = JOB_FAILED;
	job_explain_end(&job, why, sizeof(why));
	assert_string_equal(why, "");
	job_set(&job, reason, "NodeFail");
	job_explain_end(&job, why, sizeof(why));
	assert_string_equal(why, "NodeFail");
	job.exit_code = 3;
	job_explain_end(&job, why, sizeof(why));
	assert_string_equal(why, "exit status 3");
	job.signal = 9;
	job_explain_end(&job, why, sizeof(why));
	assert_string_equal(why, "signal 9 (Killed)");
}

static void texts_that_lie_together_are_replaced_like_others(void **state)
{
	cleanup(job_finish) struct job job = { 0 };
	char *at;

	(void)state;
	job.texts_size = JOB_TEXT_SIZE(0) + JOB_TEXT_SIZE(5) + JOB_TEXT_SIZE(4);
	job.texts = at = new_array(char, job.texts_size);
	job.name = job_place_text(&at, "", 0);
	job.reason = job_place_text(&at, "NodeFail", 4);
	job.command = job_place_text(&at, "train", 5);
	assert_ptr_equal(at, job.texts + job.texts_size);
	for (int i = 0; i < 2; i++) {
		job_set(&job, reason, i ? "" : "a reason that is longer than what was there");
		assert_string_equal(job.name, "");
		assert_string_equal(job.command, "train");
	}
	job_set(&job, name, job.command);
	assert_string_equal(job.name, "train");
}

static void a_list_takes_jobs_over(void **state)
{
	cleanup(job_list_finish) struct job_list list = { 0 };

	(void)state;
	for (uint64_t i = 1; i <= 100; i++) {
		struct job job;

		job_init(&job);
		job.id = i;
		job_list_take(&list, &job);
		assert_null(job.name);
	}
	assert_int_equal(list.len, 100);
	assert_int_equal(list.items[0].id, 1);
	assert_int_equal(list.items[99].id, 100);
}

static void assert_numbered(const char *text, uint64_t id, bool has_rank, unsigned int rank)
{
	struct ref ref;

	assert_int_equal(ref_parse(text, &ref, NULL), 0);
	assert_int_equal(ref.id, id);
	assert_int_equal(ref.has_rank, has_rank);
	assert_int_equal(ref.rank, rank);
}

static void a_job_is_named_by_number_or_name(void **state)
{
	struct ref ref;

	(void)state;
	assert_numbered("7", 7, false, 0);
	assert_numbered("job-7", 7, false, 0);
	assert_numbered("job-7.3", 7, true, 3);
	assert_numbered("7.0", 7, true, 0);
	assert_int_equal(ref_parse("train-2.b_x", &ref, NULL), 0);
	assert_int_equal(ref.id, 0);
	assert_string_equal(ref.name, "train-2.b_x");
	assert_numbered("job-7_3", 7, true, 3);
	assert_numbered("7_3.1", 7, true, 3);
	assert_int_equal(ref_parse("7_3.1", &ref, NULL), 0);
	assert_true(ref.has_inner);
	assert_int_equal(ref.inner, 1);
	assert_int_equal(ref_parse("7.3.1", &ref, NULL), -1);
	assert_int_equal(ref_parse("7_3.", &ref, NULL), -1);
	assert_int_equal(ref_parse("7_3.1.2", &ref, NULL), -1);
}

static void what_is_no_job_is_refused_with_the_forms_there_are(void **state)
{
	static const char *const wrong[] = { "",
					     "0",
					     "job-0",
					     "-1",
					     "../x",
					     "a b",
					     "a\n",
					     "a*",
					     "job-7.",
					     "7.x",
					     "ä",
					     "99999999999999999999",
					     "job-7.9999999" };
	struct ref ref;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		if (strcmp(wrong[i], "job-0") == 0 || strcmp(wrong[i], "job-7.") == 0 ||
		    strcmp(wrong[i], "job-7.9999999") == 0)
			continue; /* these are names, and no job has them */
		assert_int_equal(ref_parse(wrong[i], &ref, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_non_null(strstr(err.text, "job-7, 7 or the job's name"));
	}
}

static void a_host_name_is_a_numbered_job_or_ends_in_job(void **state)
{
	struct ref ref;

	(void)state;
	assert_int_equal(ref_parse_host("job-12.5", &ref, NULL), 0);
	assert_int_equal(ref.id, 12);
	assert_int_equal(ref.rank, 5);
	assert_int_equal(ref_parse_host("job-12_6", &ref, NULL), 0); /* a task of an array */
	assert_int_equal(ref.rank, 6);
	assert_int_equal(ref_parse_host("train.job_3", &ref, NULL), 0);
	assert_string_equal(ref.name, "train");
	assert_int_equal(ref.rank, 3);
	assert_int_equal(ref_parse_host("train.job", &ref, NULL), 0);
	assert_string_equal(ref.name, "train");
	assert_int_equal(ref_parse_host("train.job.2", &ref, NULL), 0);
	assert_string_equal(ref.name, "train");
	assert_int_equal(ref.rank, 2);
	assert_int_equal(ref_parse_host("train.job_3.1", &ref, NULL), 0);
	assert_string_equal(ref.name, "train");
	assert_int_equal(ref.rank, 3);
	assert_int_equal(ref.inner, 1);
	assert_int_equal(ref_parse_host("job-12_6.2", &ref, NULL), 0);
	assert_int_equal(ref.inner, 2);
	assert_int_equal(ref_parse_host("a.job.job", &ref, NULL), 0);
	assert_false(ref.has_inner);
	assert_string_equal(ref.name, "a.job");
	assert_int_equal(ref_parse_host("7", &ref, NULL), -1);
	assert_int_equal(ref_parse_host("train", &ref, NULL), -1);
	assert_int_equal(ref_parse_host(".job", &ref, NULL), -1);
	assert_int_equal(ref_parse_host("`id`.job", &ref, NULL), -1);
}

static void a_name_cannot_be_mistaken_for_a_number_or_an_option(void **state)
{
	char longest[REF_NAME_MAX + 2];

	(void)state;
	assert_int_equal(ref_check_name("train", NULL), 0);
	assert_int_equal(ref_check_name("job-7", NULL), -1);
	assert_int_equal(ref_check_name("7", NULL), -1);
	assert_int_equal(ref_check_name("-x", NULL), -1);
	assert_int_equal(ref_check_name("a/b", NULL), -1);
	memset(longest, 'a', sizeof(longest) - 1);
	longest[REF_NAME_MAX + 1] = '\0';
	assert_int_equal(ref_check_name(longest, NULL), -1);
	longest[REF_NAME_MAX] = '\0';
	assert_int_equal(ref_check_name(longest, NULL), 0);
}

static struct spec spec_of(const char *const *command)
{
	return (struct spec){ .command = command, .workdir = "/" };
}

static void a_specification_that_cannot_work_is_refused(void **state)
{
	const char *const command[] = { "true", NULL }, *const none[] = { NULL };
	struct spec spec = spec_of(command);
	struct err err;

	(void)state;
	assert_int_equal(spec_check(&spec, &err), 0);
	spec.env = (struct opt_list){ { "A=1", "1A=2" }, 1 };
	assert_int_equal(spec_check(&spec, &err), 0);
	spec.env.len = 2;
	assert_int_equal(spec_check(&spec, &err), -1);
	assert_string_equal(err.text, "--env: '1A' is not KEY=VALUE");
	spec = spec_of(command);
	spec.allow = (struct opt_list){ { "host" }, 1 };
	assert_int_equal(spec_check(&spec, &err), -1);
	assert_string_equal(err.text, "--allow: 'host' is not HOST:PORT");
	spec = spec_of(none);
	assert_int_equal(spec_check(&spec, &err), -1);
	spec = spec_of(command);
	spec.nodes = 2000000;
	assert_int_equal(spec_check(&spec, &err), -1);
	spec = spec_of(command);
	spec.workdir = "here";
	assert_int_equal(spec_check(&spec, &err), -1);
}

static void a_specification_is_written_as_json(void **state)
{
	const char *const command[] = { "sh", "-c", "echo \"hi\"\n", NULL };
	cleanup(buf_finish) struct buf text = BUF_INIT(SPEC_JSON_MAX);
	cleanup(json_release) json_t *object = NULL;
	struct spec spec = spec_of(command);

	(void)state;
	spec.env = (struct opt_list){ { "A=b c" }, 1 };
	spec.tasks = 4;
	spec.time_ns = 90 * NSEC_PER_SEC;
	assert_int_equal(spec_to_json(&spec, &text, NULL), 0);
	assert_int_equal(json_parse(buf_span(&text), SPEC_JSON_MAX, &object, NULL), 0);
	assert_true(!json_object_get(object, "name"));
	assert_int_equal(json_array_size(json_object_get(object, "command")), 3);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(object, "command"), 2)),
		"echo \"hi\"\n");
	assert_int_equal(json_integer_value(json_object_get(object, "tasks")), 4);
	assert_int_equal(json_integer_value(json_object_get(object, "time")), 90);
	assert_int_equal(spec_ranks(&spec), 4);
}

static void a_long_command_line_is_cut(void **state)
{
	char word[500];
	const char *const command[] = { "echo", "a b", word, NULL };
	struct spec spec = spec_of(command);
	cleanup_free char *line = NULL;

	(void)state;
	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	line = spec_command_line(&spec);
	assert_true(strlen(line) <= SPEC_LINE_MAX);
	assert_non_null(strstr(line, "echo 'a b' "));
	assert_string_equal(line + strlen(line) - 3, "...");
}

static void what_json_frees_is_wiped(void **state)
{
	char *secret = memset(malloc(100), 's', 100);
	json_malloc_t allocate;
	json_free_t release;

	(void)state;
	json_wipe(secret);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(secret[i], 0);
	json_wipe(NULL);
	json_wipe_freed();
	json_get_alloc_funcs(&allocate, &release);
	assert_true(release != free);
	release(secret);
	json_decref(json_pack("{s:s}", "a", "b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_is_read_back_from_its_word),
		cmocka_unit_test(what_json_frees_is_wiped),
		cmocka_unit_test(the_end_of_a_job_is_explained_by_what_is_known),
		cmocka_unit_test(texts_that_lie_together_are_replaced_like_others),
		cmocka_unit_test(a_list_takes_jobs_over),
		cmocka_unit_test(a_job_is_named_by_number_or_name),
		cmocka_unit_test(what_is_no_job_is_refused_with_the_forms_there_are),
		cmocka_unit_test(a_host_name_is_a_numbered_job_or_ends_in_job),
		cmocka_unit_test(a_name_cannot_be_mistaken_for_a_number_or_an_option),
		cmocka_unit_test(a_specification_that_cannot_work_is_refused),
		cmocka_unit_test(a_specification_is_written_as_json),
		cmocka_unit_test(a_long_command_line_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
