/* SPDX-License-Identifier: MIT */
/* What a FirecREST server answers, and what it cannot be asked. */
#include "tests/unit/unit.h"

#include <string.h>

#include "controller/firecrest/answer.h"
#include "controller/firecrest/client.h"
#include "controller/firecrest/quoting.h"
#include "init/base/macro.h"

static void refusals_are_the_servers_own_words(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum err_kind kind;
		const char *text;
	} cases[] = {
		{ 404,
		  "{\"message\": \"Remote process failed with exit status:1 and error "
		  "message:cat: 'x': No such file or directory\", \"errorType\": \"error\"}",
		  ERR_NOT_FOUND, "cat: 'x': No such file or directory" },
		{ 400, "{\"message\": \"... and error message:mkdir: 'x': File exists\"}",
		  ERR_EXISTS, "mkdir: 'x': File exists" },
		{ 400, "{\"message\": \"1 validation error\"}", ERR_INVALID, "1 validation error" },
		{ 500, "{\"message\": \"sh: 1: cannot create x: Directory nonexistent\"}",
		  ERR_NOT_FOUND, "sh: 1: cannot create x: Directory nonexistent" },
		{ 500, "{\"message\": \"mkdir: x: Disk quota exceeded\"}", ERR_LIMIT,
		  "mkdir: x: Disk quota exceeded" },
		{ 500,
		  "{\"message\": \"Unexpected Slurm command response. exit_status:1 "
		  "std_err:sbatch: error: invalid partition specified: x\\nsbatch: error: y\"}",
		  ERR_SYSTEM, "sbatch: error: invalid partition specified: x" },
		{ 403, "{\"detail\": \"no\\u001b[2Jaccess\"}", ERR_DENIED, "no?[2Jaccess" },
		{ 413, "{\"message\": \"File to upload is too large.\"}", ERR_LIMIT,
		  "File to upload is too large (it is too large to go directly)" },
		{ 429, "API rate limit exceeded", ERR_LIMIT,
		  "API rate limit exceeded: too many requests: try again later" },
		{ 424, "{\"message\": \"no ssh\"}", ERR_UNAVAILABLE,
		  "no ssh: the server does not reach the system: try again later" },
		{ 418, "{\"message\": \"teapot\"}", ERR_INVALID, "teapot (status 418)" },
		{ 599, "{\"message\": \"odd\"}", ERR_UNAVAILABLE, "odd (status 599)" },
		{ 502, "<html>Bad gateway</html>", ERR_UNAVAILABLE, NULL },
		{ 404, "", ERR_NOT_FOUND, NULL },
		{ 401, "{\"message\": 7}", ERR_DENIED, NULL },
		{ 500, "{\"mess", ERR_SYSTEM, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = { 0 };

		assert_int_equal(
			firecrest_explain(cases[i].status, span_of_str(cases[i].body), &err), -1);
		assert_int_equal(err.kind, cases[i].kind);
		if (cases[i].text)
			assert_string_equal(err.text, cases[i].text);
		else
			assert_non_null(strstr(err.text, "the server answered"));
	}
}

static void odd_values_are_passed_over(void **state)
{
	static const char text[] =
		"{\"a\": 7, \"b\": \"12\", \"c\": -3, \"d\": 1.5, \"e\": [1, \"x\", null, \"y\"], "
		"\"f\": \"one\", \"g\": null, \"h\": 99999999999}";
	cleanup(json_release) json_t *json = NULL;
	char words[8];

	(void)state;
	assert_int_equal(json_parse(span_of_str(text), sizeof(text), &json, NULL), 0);
	assert_int_equal(firecrest_number(json, "a", 100), 7);
	assert_int_equal(firecrest_number(json, "b", 100), 12);
	assert_int_equal(firecrest_number(json, "c", 100), 0);
	assert_int_equal(firecrest_number(json, "d", 100), 1);
	assert_int_equal(firecrest_number(json, "e", 100), 0);
	assert_int_equal(firecrest_number(json, "h", 100), 100);
	assert_int_equal(firecrest_number(json, "none", 100), 0);
	assert_string_equal(firecrest_text(json, "f"), "one");
	assert_string_equal(firecrest_text(json, "a"), "");
	assert_string_equal(firecrest_text(NULL, "a"), "");
	firecrest_words(json_object_get(json, "e"), "+", words, sizeof(words));
	assert_string_equal(words, "x+y");
	firecrest_words(json_object_get(json, "g"), "+", words, sizeof(words));
	assert_string_equal(words, "");
	firecrest_words(json_object_get(json, "f"), "+", words, 3);
	assert_string_equal(words, "on");
}

static void paths_that_a_shell_would_take_apart_are_refused(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(firecrest_check_path("/a b/$c`d\"e\\", &err), 0);
	assert_int_equal(firecrest_check_path("/it's", &err), 0);
	assert_int_equal(firecrest_check_path("/a\nb", &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(firecrest_check_path("a", &err), -1);
	assert_int_equal(firecrest_check_path("", &err), -1);
}

static void a_client_wants_an_address_and_a_machine(void **state)
{
	cleanup(firecrest_close) struct firecrest *fc = NULL;
	struct firecrest_config config = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(firecrest_open(&config, &fc, &err), -1);
	assert_non_null(strstr(err.text, "'url'"));
	config.url = "https://api.example.org/firecrest/v2";
	assert_int_equal(firecrest_open(&config, &fc, &err), -1);
	assert_non_null(strstr(err.text, "'system'"));
	config.system_name = "daint";
	assert_int_equal(firecrest_open(&config, &fc, &err), 0);
	assert_string_equal(firecrest_system(fc), "daint");
	assert_int_equal(firecrest_requests(fc), 0);
}

static void a_quote_is_written_as_the_server_wants_it(void **state)
{
	static const char path[] = "/a'; rm -rf ~; '";
	cleanup_free char *plain = quoting_write(QUOTING_PLAIN, path);

	(void)state;
	assert_string_equal(plain, "/a'\\''; rm -rf ~; '\\''");
	assert_null(quoting_write(QUOTING_PROPER, path));
	assert_null(quoting_write(QUOTING_PLAIN, "/a b"));
}

static void a_server_with_jobs_is_told_what_its_scripts_survive(void **state)
{
	static const char up[] = "/filesystem/{system}/transfer/upload";
	static const char down[] = "/filesystem/{system}/transfer/download";

	(void)state;
	assert_true(quoting_is_for_jobs(down, "/a/b_c.d-e+f=g:h,i@j%20\xc3\xa4"));
	assert_true(quoting_is_for_jobs(up, "/a b (c); d*"));
	for (const char *bad = " ;*$`'\"\\&<>(){}[]|~#!?"; *bad; bad++) {
		const char path[] = { '/', 'a', *bad, 'b', '\0' };

		assert_false(quoting_is_for_jobs(down, path));
		assert_true(quoting_is_for_jobs("/filesystem/{system}/ops/download", path));
		assert_int_equal(quoting_is_for_jobs(up, path), !strchr("$`'\"\\&<>", *bad));
	}
}

static void of_many_lines_the_one_with_the_error_is_told(void **state)
{
	static const char body[] =
		"{\"message\":\"Unexpected Slurm command response. exit_status:0 std_err:"
		"scancel: Terminating job 3\\nscancel: error: Kill job error on job id 3: Invalid job "
		"id specified\\n\"}";
	struct err err;

	(void)state;
	assert_int_equal(firecrest_explain(500, span_of_str(body), &err), -1);
	assert_string_equal(err.text, "scancel: error: Kill job error on job id 3: Invalid job id "
				      "specified");
}

#define SUM "e5b00209ffdf76f4db2895a419bd49cbfdf9350eb9546b73019413a41acd9455"

static void a_sum_is_read_where_the_server_shows_it(void **state)
{
	static const struct {
		const char *text;
		bool is_sum;
	} cases[] = {
		{ SUM, true },
		{ "\\" SUM, true },
		{ "Invalid output: " SUM "  /a b", true },
		{ "Invalid output: \\" SUM "  /a\\nb", true },
		{ SUM "0", false },
		{ "Invalid output: ", false },
		{ "Invalid output: " SUM "x", false },
		{ "sha256sum: " SUM, false },
		{ "", false },
	};
	char sum[FIRECREST_SUM_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(firecrest_read_sum(cases[i].text, sum), cases[i].is_sum);
		if (cases[i].is_sum)
			assert_string_equal(sum, SUM);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_with_jobs_is_told_what_its_scripts_survive),
		cmocka_unit_test(a_sum_is_read_where_the_server_shows_it),
		cmocka_unit_test(refusals_are_the_servers_own_words),
		cmocka_unit_test(a_quote_is_written_as_the_server_wants_it),
		cmocka_unit_test(of_many_lines_the_one_with_the_error_is_told),
		cmocka_unit_test(odd_values_are_passed_over),
		cmocka_unit_test(paths_that_a_shell_would_take_apart_are_refused),
		cmocka_unit_test(a_client_wants_an_address_and_a_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
