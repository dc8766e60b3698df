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
static struct args common;
static const struct opt common_opts[] = {
	OPT_FLAG('k', "kindly", struct args, loud, "in a friendly voice"),
	OPT_END,
};
static const struct program program = { "x", "a test", "1.0", verbs, common_opts, &common };

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

static void options_of_every_verb_may_stand_before_it(void **state)
{
	(void)state;
	assert_int_equal(RUN(S("--kindly"), S("greet"), S("a"), S("--loud")), 3);
	assert_true(common.loud);
	assert_int_equal(RUN(S("-k"), S("gret"), S("a")), 64);
	assert_string_equal(text, "x: unknown verb 'gret': did you mean 'greet'?\n");
	assert_int_equal(RUN(S("-l"), S("greet"), S("a")), 64);
	assert_string_equal(text, "x: -l: unknown option, see --help\n");
	assert_int_equal(RUN(S("-k")), 64);
	assert_non_null(strstr(text, "usage: x VERB"));
}

static void help_before_a_verb_is_help_of_it(void **state)
{
	(void)state;
	assert_int_equal(RUN(S("help"), S("greet")), 0);
	assert_non_null(strstr(text, "usage: x greet"));
	assert_int_equal(RUN(S("--help"), S("gret")), 64);
	assert_int_equal(RUN(S("help")), 0);
	assert_non_null(strstr(text, "usage: x VERB"));
}

static void what_cannot_be_written_is_a_failure(void **state)
{
	int kept = dup(1), full = fd_open("/dev/full", O_WRONLY), status;
	char *argv[] = { S("x"), S("--help"), NULL };

	(void)state;
	fflush(stdout);
	dup2(full, 1);
	status = verb_main(&program, 2, argv);
	clearerr(stdout);
	dup2(kept, 1);
	fd_close(kept);
	fd_close(full);
	assert_int_equal(status, 69);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_verb_gets_its_options_and_its_status_is_returned),
		cmocka_unit_test(an_error_is_one_line_and_its_kind_the_status),
		cmocka_unit_test(the_number_of_operands_is_checked),
		cmocka_unit_test(a_near_miss_is_recognised),
		cmocka_unit_test(help_and_version_come_from_the_tables),
		cmocka_unit_test(options_of_every_verb_may_stand_before_it),
		cmocka_unit_test(help_before_a_verb_is_help_of_it),
		cmocka_unit_test(what_cannot_be_written_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
