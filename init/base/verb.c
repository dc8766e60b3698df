/* SPDX-License-Identifier: MIT */
/* Dispatch to verbs, their usage and help; see verb.h. */
#include "verb.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "cleanup.h"
#include "fd.h"
#include "macro.h"
#include "text.h"

static int report(const struct program *program, const struct err *err)
{
	char line[ERR_TEXT_MAX + 64];
	struct err shown = *err;
	int len;

	/* Much of it may be somebody else's words. */
	text_make_printable(shown.text);
	len = snprintf(line, sizeof(line), "%s: %s\n", program->name, shown.text);
	/* In one piece: ssh writes to the same place while its ProxyCommand ends. */
	(void)!fd_write_all(STDERR_FILENO, span_of(line, MIN((size_t)len, sizeof(line) - 1)), NULL);
	return err_exit_status(err);
}

static void print_program_help(const struct program *program)
{
	printf("%s: %s\n\nusage: %s VERB [options] [operands]\n\nverbs:\n", program->name,
	       program->summary, program->name);
	for (const struct verb *const *v = program->verbs; *v; v++) {
		if (!(*v)->hidden)
			printf("  %-12s %s\n", (*v)->name, (*v)->summary);
	}
	if (program->opts) {
		printf("\noptions of every verb:\n");
		opt_print_help(program->opts, stdout);
	}
	printf("\n'%s VERB --help' tells more about one, '%s --version' the version\n",
	       program->name, program->name);
}

static void print_verb_help(const struct program *program, const struct verb *verb)
{
	printf("%s %s: %s\n\nusage: %s %s [options] %s\n", program->name, verb->name, verb->summary,
	       program->name, verb->name, verb->operands);
	if (verb->opts && verb->opts->type != OPT_TYPE_END) {
		printf("\noptions:\n");
		opt_print_help(verb->opts, stdout);
	}
	if (verb->details)
		printf("\n%s\n", verb->details);
}

static const struct verb *find_verb(const struct program *program, const char *name,
				    struct err *err)
{
	const struct verb *close = NULL;
	unsigned int least = TEXT_CLOSE + 1;

	for (const struct verb *const *v = program->verbs; *v; v++) {
		unsigned int d = text_distance(name, (*v)->name);

		if (d == 0)
			return *v;
		if (d < least && !(*v)->hidden) {
			least = d;
			close = *v;
		}
	}
	if (close)
		err_set(err, ERR_INVALID, "unknown verb '%s': did you mean '%s'?", name,
			close->name);
	else
		err_set(err, ERR_INVALID, "unknown verb '%s': see '%s --help'", name,
			program->name);
	return NULL;
}

/* Whether --help or -h stands among the options, before "--" or (when operands end the options) an
 * operand. */
static bool wants_help(const struct verb *verb, int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
		if (verb->mode == OPT_STOP_AT_OPERAND && argv[i][0] != '-')
			return false;
	}
	return false;
}

static int run_verb(const struct program *program, const struct verb *verb, int argc, char **argv,
		    struct err *err)
{
	static const struct opt none[] = { OPT_END };
	cleanup_free void *args = alloc_zero(1, verb->args_size);
	const struct opt_target targets[] = { { verb->opts ? verb->opts : none, args },
					      { program->opts, program->args },
					      { NULL, NULL } };
	int operands = opt_parse_targets(targets, verb->mode, argc, argv, err);

	if (operands < 0)
		return -1;
	if (operands < verb->operands_min ||
	    (verb->operands_max >= 0 && operands > verb->operands_max))
		return err_set(err, ERR_INVALID, "usage: %s %s [options]%s%s", program->name,
			       verb->name, verb->operands[0] ? " " : "", verb->operands);
	return verb->run(args, operands, argv, err);
}

/* Options of every verb may stand before it, too: moves them away, so that argv[0] is the verb. */
static int take_leading_options(const struct program *program, int argc, char **argv,
				struct err *err)
{
	static const struct opt none[] = { OPT_END };
	const struct opt_target targets[] = {
		{ program->opts ? program->opts : none, program->args }, { NULL, NULL }
	};

	return opt_parse_targets(targets, OPT_STOP_AT_OPERAND, argc, argv, err);
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

/* argv[0] is the verb, or what asks for help. */
static int dispatch(const struct program *program, int argc, char **argv, struct err *err)
{
	bool help = argc == 0 || is_help(argv[0]);
	const struct verb *verb;

	if (argc == 0 || (help && argc == 1)) {
		print_program_help(program);
		return argc == 0 ? 64 : 0;
	}
	verb = find_verb(program, argv[help], err);
	if (!verb)
		return -1;
	if (help || wants_help(verb, argc, argv)) {
		print_verb_help(program, verb);
		return 0;
	}
	return run_verb(program, verb, argc, argv, err);
}

/* What was printed and did not arrive is a failure, too; the status says so unless it says more. */
static int end_output(const struct program *program, int status)
{
	struct err err = { 0 };
	int failed;

	if (fflush(stdout) != 0)
		(void)!err_set_errno(&err, errno, "write to standard output");
	else if (ferror(stdout))
		(void)!err_set(&err, ERR_SYSTEM, "standard output was not written whole");
	else
		return status;
	failed = report(program, &err);
	return status ? status : failed;
}

int verb_main(const struct program *program, int argc, char **argv)
{
	struct err err = { 0 };
	int status, len = argc - 1;

	argv++;
	if (len > 0 && strcmp(argv[0], "--version") == 0) {
		printf("%s %s\n", program->name, program->version);
		status = 0;
	} else {
		if (len > 0 && argv[0][0] == '-' && !is_help(argv[0]))
			len = take_leading_options(program, argc, --argv, &err);
		status = len < 0 ? -1 : dispatch(program, len, argv, &err);
	}
	return status < 0 ? report(program, &err) : end_output(program, status);
}
