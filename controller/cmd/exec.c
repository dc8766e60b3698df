/* SPDX-License-Identifier: MIT */
/* berth exec: a program in a job, as if it ran here. */
#include <string.h>

#include "controller/cmd/cmd.h"
#include "controller/ops/engine_exec.h"

struct args {
	bool input, terminal;
	struct opt_list env;
	const char *workdir;
	uint64_t wait_ns;
	const char *path;
};

static const struct opt opts[] = {
	OPT_FLAG('i', "stdin", struct args, input, "pass standard input on"),
	OPT_FLAG('t', "tty", struct args, terminal, "give the program a terminal"),
	OPT_LIST('e', "env", struct args, env, "NAME[=VALUE]",
		 "set a variable, or pass ours on (repeatable)"),
	OPT_STR('w', "workdir", struct args, workdir, "DIR",
		"run it in this directory of the job (the job's)"),
	CMD_OPT_WAIT(struct args, wait_ns),
	CMD_OPT_PATH(struct args, path),
	OPT_END,
};

static void add_options(const struct args *args, struct argv *command)
{
	if (args->path)
		argv_add_words(command, "--path", args->path, NULL);
	if (args->input)
		argv_add(command, "--stdin");
	if (args->terminal)
		argv_add(command, "--tty");
	for (size_t i = 0; i < args->env.len; i++)
		argv_add_words(command, "--env", args->env.items[i], NULL);
	if (args->workdir)
		argv_add_words(command, "--workdir", args->workdir, NULL);
}

static void say(const char *line)
{
	fprintf(stderr, "berth: %s\n", line);
}

/* Where what runs the job can start programs itself, an engine or an API server does. */
static int run_without_tunnel(const struct args *args, const struct ref *ref, char **argv,
			      const struct err *why, struct err *err)
{
	const struct engine_exec exec = { .ref = ref,
					  .argv = (const char *const *)argv,
					  .env = &args->env,
					  .workdir = args->workdir,
					  .input = args->input,
					  .terminal = args->terminal,
					  .say = say };
	cleanup(controller_close) struct controller *c = NULL;
	int status;

	if (controller_open(&c, err) < 0 || ops_engine_exec(c, &exec, why, &status, err) < 0)
		return -1;
	return status;
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct args *args = opaque;
	cleanup(argv_finish) struct argv command = { 0 };
	struct ref ref;
	struct err why;

	if (argc < 3 || strcmp(argv[1], "--") != 0)
		return err_set(err, ERR_INVALID,
			       "put the command after '--': berth exec JOB -- COMMAND [ARG...]");
	if (ref_parse(argv[0], &ref, err) < 0)
		return -1;
	if (cmd_connect("exec", &ref, args->wait_ns, &command, &why) < 0)
		return run_without_tunnel(args, &ref, argv + 2, &why, err);
	add_options(args, &command);
	argv_add_all(&command, (const char *const *)argv + 1);
	return cmd_become(argv_words(&command), err);
}

const struct verb cmd_exec = {
	.name = "exec",
	.operands = "JOB -- COMMAND [ARG...]",
	.summary = "run a program in a job",
	.details =
		"Every argument reaches the program as it is: no shell has a part in it. Its exit status\n"
		"is that of the program, 128+N for signal N. With -it, the keys '~.' at the beginning of a\n"
		"line leave at once. Where a container's tunnel cannot be had, its engine runs the program.",
	.opts = opts,
	.mode = OPT_PERMUTE_KEEP_DASHES,
	.args_size = sizeof(struct args),
	.operands_max = -1,
	.run = run,
};
