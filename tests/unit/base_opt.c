/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "init/base/opt.h"

struct args {
	const char *image;
	uint64_t nodes;
	uint64_t time_ns;
	bool quiet;
	uint64_t verbose;
	struct opt_list env;
};

static const struct opt opts[] = {
	OPT_STR('i', "image", struct args, image, "REF", "container image"),
	OPT_UINT('N', "nodes", struct args, nodes, "COUNT", "number of nodes"),
	OPT_DURATION('t', "time", struct args, time_ns, "TIME", "time limit"),
	OPT_FLAG('q', "quiet", struct args, quiet, "print less"),
	OPT_COUNT('v', "verbose", struct args, verbose, "print more"),
	OPT_LIST('e', "env", struct args, env, "KEY=VALUE", "set a variable"),
	OPT_END,
};

static int parse(enum opt_mode mode, struct args *args, struct err *err, char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	memset(args, 0, sizeof(*args));
	return opt_parse(opts, mode, argc, argv, args, err);
}

#define ARGV(...) ((char *[]){ (char[]){ "x" }, __VA_ARGS__, NULL })
#define S(text) ((char[]){ text })

static void every_spelling_of_a_value_is_understood(void **state)
{
	struct args args;
	char **argv = ARGV(S("-N3"), S("--image=a"), S("-e"), S("A=1"), S("--env"), S("B=2"),
			   S("-qt"), S("5m"), S("cmd"));

	(void)state;
	assert_int_equal(parse(OPT_STOP_AT_OPERAND, &args, NULL, argv), 1);
	assert_int_equal(args.nodes, 3);
	assert_string_equal(args.image, "a");
	assert_int_equal(args.env.len, 2);
	assert_string_equal(args.env.items[1], "B=2");
	assert_true(args.quiet);
	assert_int_equal(args.time_ns, 300 * NSEC_PER_SEC);
	assert_string_equal(argv[0], "cmd");
}

static void an_option_that_is_nearly_one_is_suggested(void **state)
{
	struct args args;
	struct err err;

	(void)state;
	assert_int_equal(parse(OPT_PERMUTE, &args, &err, ARGV(S("--nods=3"))), -1);
	assert_string_equal(err.text, "--nods: unknown option: did you mean '--nodes'?");
	assert_int_equal(parse(OPT_PERMUTE, &args, &err, ARGV(S("--xyzzy"))), -1);
	assert_string_equal(err.text, "--xyzzy: unknown option, see --help");
}

static void an_option_can_be_counted(void **state)
{
	struct args args;
	struct err err;

	(void)state;
	assert_int_equal(
		parse(OPT_STOP_AT_OPERAND, &args, NULL, ARGV(S("-vqv"), S("--verbose"), S("cmd"))),
		1);
	assert_int_equal(args.verbose, 3);
	assert_int_equal(parse(OPT_STOP_AT_OPERAND, &args, NULL,
			       ARGV(S("-vv"), S("--no-verbose"), S("-v"), S("cmd"))),
			 1);
	assert_int_equal(args.verbose, 1);
	assert_int_equal(parse(OPT_STOP_AT_OPERAND, &args, &err, ARGV(S("--verbose=2"), S("cmd"))),
			 -1);
}

static void options_after_an_operand_belong_to_it_unless_permuted(void **state)
{
	struct args args;
	char **argv = ARGV(S("cmd"), S("-q"));

	(void)state;
	assert_int_equal(parse(OPT_STOP_AT_OPERAND, &args, NULL, argv), 2);
	assert_false(args.quiet);
	argv = ARGV(S("cmd"), S("-q"), S("--"), S("-x"));
	assert_int_equal(parse(OPT_PERMUTE, &args, NULL, argv), 2);
	assert_true(args.quiet);
	assert_string_equal(argv[1], "-x");
	argv = ARGV(S("train"), S("-q"), S("--"), S("-x"), S("--"));
	assert_int_equal(parse(OPT_PERMUTE_KEEP_DASHES, &args, NULL, argv), 4);
	assert_string_equal(argv[0], "train");
	assert_string_equal(argv[1], "--");
	assert_string_equal(argv[3], "--");
}

static void mistakes_name_the_option_and_the_value(void **state)
{
	struct args args;
	struct err err;

	(void)state;
	assert_int_equal(parse(OPT_PERMUTE, &args, &err, ARGV(S("--nodes"), S("x"))), -1);
	assert_string_equal(err.text, "--nodes: 'x' is not a number");
	assert_int_equal(parse(OPT_PERMUTE, &args, &err, ARGV(S("--nodes"))), -1);
	assert_string_equal(err.text, "--nodes: needs a value COUNT");
	assert_int_equal(parse(OPT_PERMUTE, &args, &err, ARGV(S("--quiet=1"))), -1);
	assert_int_equal(parse(OPT_PERMUTE, &args, &err, ARGV(S("-z"))), -1);
	assert_string_equal(err.text, "-z: unknown option, see --help");
	assert_int_equal(err.kind, ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_spelling_of_a_value_is_understood),
		cmocka_unit_test(an_option_that_is_nearly_one_is_suggested),
		cmocka_unit_test(an_option_can_be_counted),
		cmocka_unit_test(options_after_an_operand_belong_to_it_unless_permuted),
		cmocka_unit_test(mistakes_name_the_option_and_the_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
