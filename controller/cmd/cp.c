/* SPDX-License-Identifier: MIT */
/* berth cp: files into a job, out of it, or between jobs. */
#include <string.h>

#include "controller/cmd/cmd.h"

struct args {
	bool recursive, preserve, resume, verify, quiet;
	uint64_t wait_ns;
};

static const struct opt opts[] = {
	OPT_FLAG('r', "recursive", struct args, recursive, "copy directories with what is in them"),
	OPT_FLAG('p', "preserve", struct args, preserve, "keep permissions and times"),
	OPT_FLAG(0, "resume", struct args, resume,
		 "go on where an interrupted copy with --resume ended"),
	OPT_FLAG(0, "verify", struct args, verify,
		 "compare SHA-256 of both before a file gets its name"),
	OPT_FLAG('q', "quiet", struct args, quiet, "no progress, also on a terminal"),
	CMD_OPT_WAIT(struct args, wait_ns),
	OPT_END,
};

/* "job-7:path" has a colon before any slash. The length of "job-7", or 0 for what is here. */
static size_t job_len(const char *operand)
{
	size_t len = strcspn(operand, ":/");

	return operand[len] == ':' ? len : 0;
}

static bool same_place(const char *a, const char *b)
{
	return job_len(a) == job_len(b) && strncmp(a, b, job_len(a)) == 0;
}

static const char *path_of(const char *operand)
{
	size_t len = job_len(operand);

	return len > 0 ? operand + len + 1 : operand;
}

/*
 * Its options are those of every way into a job, with the side before them: --from-client-file,
 * --to-rank. The program itself and the verb come only once.
 */
static int add_side(const char *operand, const char *side, const struct args *args,
		    struct argv *command, struct argv *ret_way, struct err *err)
{
	cleanup_free char *job = str_dup_len(operand, job_len(operand));
	struct ref ref;

	if (job[0] == '\0')
		return 0;
	if (ref_parse(job, &ref, err) < 0 ||
	    cmd_connect("cp", &ref, args->wait_ns, ret_way, err) < 0)
		return err_wrap(err, "%s", operand);
	if (command->len == 0)
		argv_add_words(command, ret_way->items[0], ret_way->items[1], NULL);
	for (size_t i = 2; i < ret_way->len; i++) {
		const char *word = ret_way->items[i];

		if (strncmp(word, "--", 2) == 0)
			argv_addf(command, "--%s-%s", side, word + 2);
		else
			argv_add(command, word);
	}
	return 0;
}

static void add_options(const struct args *args, struct argv *command)
{
	const struct {
		bool set;
		const char *word;
	} flags[] = {
		{ args->recursive, "--recursive" }, { args->preserve, "--preserve" },
		{ args->resume, "--resume" },	    { args->verify, "--verify" },
		{ args->quiet, "--quiet" },
	};

	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		if (flags[i].set)
			argv_add(command, flags[i].word);
	}
	argv_add(command, "--");
}

static bool same_words(const struct argv *a, const struct argv *b)
{
	if (a->len != b->len)
		return false;
	for (size_t i = 0; i < a->len; i++) {
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	}
	return true;
}

static int check(int argc, char **argv, struct err *err)
{
	for (int i = 1; i + 1 < argc; i++) {
		if (!same_place(argv[0], argv[i]))
			return err_set(err, ERR_INVALID,
				       "'%s' is elsewhere than '%s': copy from one place at a time",
				       argv[i], argv[0]);
	}
	if (job_len(argv[0]) == 0 && job_len(argv[argc - 1]) == 0)
		return err_set(err, ERR_INVALID,
			       "neither side is a job: write JOB:PATH for what is in one");
	return 0;
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct args *args = opaque;
	cleanup(argv_finish) struct argv command = { 0 }, from = { 0 }, to = { 0 };

	if (check(argc, argv, err) < 0 ||
	    add_side(argv[0], "from", args, &command, &from, err) < 0 ||
	    add_side(argv[argc - 1], "to", args, &command, &to, err) < 0)
		return -1;
	if (from.len > 0 && same_words(&from, &to))
		return err_set(err, ERR_INVALID,
			       "both sides are the same job: 'berth exec JOB -- cp' copies there");
	add_options(args, &command);
	for (int i = 0; i < argc; i++)
		argv_add(&command, path_of(argv[i]));
	return cmd_become(argv_words(&command), err);
}

const struct verb cmd_cp = {
	.name = "cp",
	.operands = "SOURCE... TARGET",
	.summary = "copy files into a job, out of it, or between jobs",
	.details =
		"What is in a job is written JOB:PATH, relative to its working directory: job-7:out,\n"
		"job-7.3:/tmp/x. '-' is standard input or output.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 2,
	.operands_max = -1,
	.run = run,
};
