/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "init/base/fd.h"
#include "init/base/verb.h"

struct args {
	bool loud;
};

static const struct opt opts[] = {
	OPT_FLAG('l', "loud", struct args, loud, "speak up"),
	OPT_END,
};

static int greet(void *args, int argc, char **argv, struct err *err)
{
	const struct args *a = args;

	if (argc == 2)
		return err_set(err, ERR_DENIED, "not '%s'", argv[1]);
	return a->loud ? 3 : 0;
}

static const struct verb verb_greet = {
	.name = "greet",
	.operands = "NAME [NAME]",
	.summary = "say hello",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 1,
	.operands_max = 2,
	.run = greet,
};
static const struct verb *const verbs[] = { &verb_greet, NULL };
static const struct program program = { "x", "a test", "1.0", verbs };

static char text[4096];

/* Runs the program with output and errors going to `text`. */
static int run(char **argv)
{
	int ends[2], kept[2] = { dup(1), dup(2) }, status, argc = 0;
	ssize_t n;

	while (argv[argc])
		argc++;
	assert_int_equal(pipe(ends), 0);
	fflush(stdout);
	dup2(ends[1], 1);
	dup2(ends[1], 2);
	status = verb_main(&program, argc, argv);
	fflush(stdout);
	dup2(kept[0], 1);
	dup2(kept[1], 2);
	fd_close(kept[0]);
	fd_close(kept[1]);
	fd_close(ends[1]);
	n = read(ends[0], text, sizeof(text) - 1);
	fd_close(ends[0]);
	text[MAX(n, 0)] = '\0';
	return status;
}

#define RUN(...) run((char *[]){ (char[]){ "x" }, __VA_ARGS__, NULL })
#define S(s) ((char[]){ s })

static void a_verb_gets_its_options_and_its_status_is_returned(void **state)
{
	(void)state;
	assert_int_equal(RUN(S("greet"), S("a")), 0);
	assert_int_equal(RUN(S("greet"), S("a"), S("--loud")), 3);
	assert_string_equal(text, "");
}

static void an_error_is_one_line_and_its_kind_the_status(void **state)
{
	(void)state;
	assert_int_equal(RUN(S("greet"), S("a"), S("b")), 77);
	assert_string_equal(text, "x: not 'b'\n");
}

static void the_number_of_operands_is_checked(void **state)
{
	(void)state;
	assert_int_equal(RUN(S("greet")), 64);
	assert_string_equal(text, "x: usage: x greet [options] NAME [NAME]\n");
	assert_int_equal(RUN(S("greet"), S("a"), S("b"), S("c")), 64);
}

static void a_near_miss_is_recognised(void **state)
{
	(void)state;
	assert_int_equal(RUN(S("gret")), 64);
	assert_string_equal(text, "x: unknown verb 'gret': did you mean 'greet'?\n");
	assert_int_equal(RUN(S("wholly-else")), 64);
	assert_string_equal(text, "x: unknown verb 'wholly-else': see 'x --help'\n");
}

static void help_and_version_come_from_the_tables(void **state)
{
	(void)state;
	assert_int_equal(RUN(S("--version")), 0);
	assert_string_equal(text, "x 1.0\n");
	assert_int_equal(RUN(S("greet"), S("--help")), 0);
	assert_non_null(strstr(text, "  -l, --loud                speak up\n"));
	assert_int_equal(RUN(S("--help")), 0);
	assert_non_null(strstr(text, "  greet        say hello\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_verb_gets_its_options_and_its_status_is_returned),
		cmocka_unit_test(an_error_is_one_line_and_its_kind_the_status),
		cmocka_unit_test(the_number_of_operands_is_checked),
		cmocka_unit_test(a_near_miss_is_recognised),
		cmocka_unit_test(help_and_version_come_from_the_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
