/* SPDX-License-Identifier: MIT */
/*
 * berth proxy: what ssh runs as its ProxyCommand. Every ssh waits for it: it does no more than it
 * must.
 */
#include "controller/cmd/cmd.h"

struct args {
	uint64_t wait_ns;
	const char *path, *ssh_port;
	const char *stream;
	bool locate;
};

static const struct opt opts[] = {
	CMD_OPT_WAIT(struct args, wait_ns),
	CMD_OPT_PATH(struct args, path),
	CMD_OPT_SSH_PORT(struct args, ssh_port),
	OPT_FLAG(0, "locate", struct args, locate,
		 "only find out where the job listens; for berth-tunnel"),
	OPT_STR(0, "stream", struct args, stream, "JOB",
		"connect them with a port of this job, HOST being HOST:PORT; for berth-tunnel"),
	OPT_END,
};

/* What is not so is printed on standard output, where berth-tunnel reads it. */
static int locate(const struct ref *ref, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	int result;

	if (controller_open(&c, err) < 0)
		return -1;
	result = ops_locate(c, ref, err);
	if (result > 0)
		printf("%s\n", err->text);
	return result;
}

static int stream(const char *job, const char *to, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	struct ref ref;

	if (ref_parse_host(job, &ref, err) < 0 || controller_open(&c, err) < 0)
		return -1;
	return ops_carry(c, &ref, to, err);
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct args *args = opaque;
	cleanup(argv_finish) struct argv command = { 0 };
	struct ref ref;

	(void)argc;
	if (args->stream)
		return stream(args->stream, argv[0], err);
	if (ref_parse_host(argv[0], &ref, err) < 0)
		return -1;
	if (args->locate)
		return locate(&ref, err);
	if (cmd_connect("ssh", &ref, args->wait_ns, &command, err) < 0)
		return -1;
	if (args->path)
		argv_add_words(&command, "--path", args->path, NULL);
	if (args->ssh_port)
		argv_add_words(&command, "--ssh-port", args->ssh_port, NULL);
	return cmd_become(argv_words(&command), err);
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
