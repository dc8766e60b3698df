/* SPDX-License-Identifier: MIT */
/*
 * mustache.json has the cases of the specification (interpolation, sections, inverted sections,
 * comments, partials, delimiters), told anew.
 */
#include "tests/unit/unit.h"

#include <string.h>

#include "controller/model/mustache.h"
#include "init/base/text.h"

#define RESULT_MAX 65536

static const char *cases_file;

static bool escape_html(struct buf *b, const char *value)
{
	bool ok = true;

	for (; ok && *value; value++) {
		const char *name = *value == '&'   ? "&amp;"
				   : *value == '"' ? "&quot;"
				   : *value == '<' ? "&lt;"
				   : *value == '>' ? "&gt;"
						   : NULL;

		ok = name ? buf_append(b, name, strlen(name)) : buf_append(b, value, 1);
	}
	return ok;
}

static void the_cases_of_the_specification_hold(void **state)
{
	json_t *cases = json_load_file(cases_file, 0, NULL), *each;
	size_t i;

	(void)state;
	assert_true(json_array_size(cases) > 100);
	json_array_foreach(cases, i, each) {
		cleanup(buf_finish) struct buf result = BUF_INIT(RESULT_MAX);
		const struct mustache mustache = { .values = json_object_get(each, "values"),
						   .partials = json_object_get(each, "partials"),
						   .escape = escape_html };
		const char *template = json_string_value(json_object_get(each, "template"));
		const char *expected = json_string_value(json_object_get(each, "expected"));
		const char *name = json_string_value(json_object_get(each, "name"));
		struct err err;

		if (mustache_render(&mustache, span_of_str(template), &result, &err) < 0)
			fail_msg("%s: %s", name, err.text);
		if (strcmp(buf_str(&result), expected) != 0)
			fail_msg("%s %s: '%s' and not '%s'",
				 json_string_value(json_object_get(each, "kind")), name,
				 buf_str(&result), expected);
	}
	json_decref(cases);
}

static int render(const char *template, const char *values, const char *partials, struct buf *ret,
		  struct err *err)
{
	json_t *own = json_loads(values, JSON_DECODE_ANY, NULL);
	json_t *others = partials ? json_loads(partials, 0, NULL) : NULL;
	const struct mustache mustache = { .values = own,
					   .partials = others,
					   .escape = text_append_shell };
	int result = mustache_render(&mustache, span_of_str(template), ret, err);

	json_decref(own);
	json_decref(others);
	return result;
}

static void escaping_is_the_callers(void **state)
{
	cleanup(buf_finish) struct buf result = BUF_INIT(RESULT_MAX);

	(void)state;
	assert_int_equal(
		render("echo {{x}} {{{x}}}", "{\"x\": \"it's $HOME\"}", NULL, &result, NULL), 0);
	assert_string_equal(buf_str(&result), "echo 'it'\\''s $HOME' it's $HOME");
}

static void a_wrong_template_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *template, *said;
	} wrong[] = {
		{ "a\n{{x", "line 2" },
		{ "{{#a}}\n", "line 1" },
		{ "\n\n{{/a}}", "line 3" },
		{ "{{#a}}{{/b}}", "another section" },
		{ "{{}}", "no name" },
		{ "{{=x=}}", "two words" },
		{ "{{{x}}", "does not end" },
		{ "{{#a}}{{^b}}{{/a}}{{/b}}", "another section" },
		{ "{{= a b c =}}", "two words" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		cleanup(buf_finish) struct buf result = BUF_INIT(RESULT_MAX);
		struct err err;

		assert_int_equal(render(wrong[i].template, "{}", NULL, &result, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		if (!strstr(err.text, wrong[i].said))
			fail_msg("%s: %s", wrong[i].template, err.text);
	}
}

static void nothing_goes_on_for_ever(void **state)
{
	cleanup(buf_finish) struct buf result = BUF_INIT(RESULT_MAX), deep = BUF_INIT(RESULT_MAX);
	cleanup(buf_finish) struct buf small = BUF_INIT(4);
	struct err err;

	(void)state;
	assert_int_equal(render("{{>p}}", "{}", "{\"p\": \"{{>p}}\"}", &result, &err), -1);
	assert_int_equal(err.kind, ERR_LIMIT);
	assert_int_equal(render("{{>a}}", "{}",
				"{\"a\": \"{{>b}}{{>b}}{{>b}}\", \"b\": \"{{>c}}{{>c}}{{>c}}\", "
				"\"c\": \"{{>a}}{{>a}}{{>a}}\"}",
				&result, &err),
			 -1);
	assert_int_equal(err.kind, ERR_LIMIT);
	for (int i = 0; i <= MUSTACHE_DEPTH_MAX; i++)
		assert_true(buf_printf(&deep, "{{#a}}"));
	assert_int_equal(render(buf_str(&deep), "{}", NULL, &result, &err), -1);
	assert_int_equal(err.kind, ERR_LIMIT);
	assert_int_equal(render("{{x}}", "{\"x\": \"too long\"}", NULL, &small, &err), -1);
	assert_int_equal(err.kind, ERR_LIMIT);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cases_of_the_specification_hold),
		cmocka_unit_test(escaping_is_the_callers),
		cmocka_unit_test(a_wrong_template_is_refused_with_its_line),
		cmocka_unit_test(nothing_goes_on_for_ever),
	};

	cases_file = argc > 1 ? argv[1] : "mustache.json";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
