/* SPDX-License-Identifier: MIT */
/* berth use: another context from now on. */
#include "controller/cmd/cmd.h"
#include "controller/ops/where.h"

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	const struct config_edit change = { CONFIG_SET, "context", (const char *const *)argv, 1 };
	const struct config_choice choice = { .context = argv[0] };
	const struct config_context *context;
	const struct config_cluster *cluster;
	const struct config *config;

	(void)opaque;
	(void)argc;
	if (controller_open(&c, err) < 0 || ops_config(c, &config, err) < 0 ||
	    config_choose(config, &choice, &context, &cluster, err) < 0 ||
	    ops_config_change(c, &change, err) < 0)
		return -1;
	printf("%s: jobs go to the cluster %s\n", argv[0], cluster->name);
	return 0;
}

const struct verb cmd_use = {
	.name = "use",
	.operands = "CONTEXT",
	.summary = "use another context, or cluster, from now on",
	.mode = OPT_PERMUTE,
	.operands_min = 1,
	.operands_max = 1,
	.run = run,
};
