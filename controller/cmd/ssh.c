/* SPDX-License-Identifier: MIT */
/* berth ssh: enters a job, also where ssh's own configuration does not know it. */
#include "controller/auth/secret_env.h"
#include "controller/cmd/cmd.h"
#include "controller/ops/connect.h"
#include "controller/ops/jobs.h"

struct args {
	const char *path, *ssh_port;
};

static const struct opt opts[] = {
	CMD_OPT_PATH(struct args, path),
	CMD_OPT_SSH_PORT(struct args, ssh_port),
	OPT_END,
};

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(argv_finish) struct argv command = { 0 };
	cleanup(job_finish) struct job job = { 0 };
	const struct args *args = opaque;
	struct ref ref;

	(void)argc;
	if (ref_parse(argv[0], &ref, err) < 0 || controller_open(&c, err) < 0 ||
	    ops_choose_path(c, args->path, err) < 0 ||
	    ops_choose_ssh_port(c, args->ssh_port, err) < 0 || ops_find(c, &ref, &job, err) < 0 ||
	    ops_check_not_ended(&job, err) < 0 ||
	    ops_ssh_command(c, &job, &ref, (const char *const *)argv + 1, &command, err) < 0)
		return -1;
	c = controller_close(c);
	/* It runs `berth proxy`, which may need them. */
	secret_env_show();
	return cmd_become(argv_words(&command), err);
}

const struct verb cmd_ssh = {
	.name = "ssh",
	.operands = "JOB [COMMAND [ARG...]]",
	.summary = "enter a job with ssh, or run a command in it",
	.opts = opts,
	.mode = OPT_STOP_AT_OPERAND,
	.args_size = sizeof(struct args),
	.operands_min = 1,
	.operands_max = -1,
	.run = run,
};
