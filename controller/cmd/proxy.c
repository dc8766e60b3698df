/* SPDX-License-Identifier: MIT */
/*
 * berth proxy: what ssh runs as its ProxyCommand. Every ssh waits for it: it does no more than it
 * must.
 */
#include "controller/cmd/cmd.h"
#include "controller/ops/connect.h"

#define WAIT_NS (600 * NSEC_PER_SEC)

struct args {
	uint64_t wait_ns;
};

static const struct opt opts[] = {
	OPT_DURATION(0, "wait", struct args, wait_ns, "DURATION",
		     "how long to wait for the job to run (10m)"),
	OPT_END,
};

static void say(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "berth: %s\n", line);
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct args *args = opaque;
	const struct progress progress = { .say = say };
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(argv_finish) struct argv command = { 0 };
	struct ref ref;

	(void)argc;
	if (ref_parse_host(argv[0], &ref, err) < 0 || controller_open(&c, err) < 0 ||
	    ops_connect(c, &ref, args->wait_ns ? args->wait_ns : WAIT_NS, &progress, &command,
			err) < 0)
		return -1;
	c = controller_close(c);
	return cmd_exec(argv_words(&command), err);
}

const struct verb cmd_proxy = {
	.name = "proxy",
	.operands = "HOST",
	.summary = "connect standard input and output with a job, for ssh",
	.details = "HOST is job-7, job-7.3 (rank 3) or NAME.job.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 1,
	.operands_max = 1,
	.run = run,
};
