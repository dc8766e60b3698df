/* SPDX-License-Identifier: MIT */
/* berth port-forward: ports of this machine that lead into a job. */
#include "controller/cmd/cmd.h"

struct args {
	struct opt_list address;
	uint64_t wait_ns;
	const char *path;
};

static const struct opt opts[] = {
	OPT_LIST(0, "address", struct args, address, "ADDRESS",
		 "listen there: an address of ours, or localhost (127.0.0.1; repeatable)"),
	CMD_OPT_WAIT(struct args, wait_ns),
	CMD_OPT_PATH(struct args, path),
	OPT_END,
};

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct args *args = opaque;
	cleanup(argv_finish) struct argv command = { 0 };
	struct ref ref;

	(void)argc;
	if (ref_parse(argv[0], &ref, err) < 0 ||
	    cmd_connect("forward", &ref, args->wait_ns, &command, err) < 0)
		return -1;
	for (size_t i = 0; i < args->address.len; i++)
		argv_add_words(&command, "--address", args->address.items[i], NULL);
	if (args->path)
		argv_add_words(&command, "--path", args->path, NULL);
	argv_add(&command, "--");
	argv_add_all(&command, (const char *const *)argv + 1);
	return cmd_become(argv_words(&command), err);
}

const struct verb cmd_port_forward = {
	.name = "port-forward",
	.operands = "JOB [[ADDRESS:]LOCAL:][HOST:]REMOTE...",
	.summary = "let ports and sockets of this machine lead into a job",
	.details =
		"LOCAL and REMOTE are ports, or paths of Unix sockets; LOCAL 0 is any free port.\n"
		"It goes on until the job ends, and connects again when the tunnel was restarted.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 2,
	.operands_max = 257,
	.run = run,
};
