/* SPDX-License-Identifier: MIT */
/* berth gc: collects what ended jobs left. */
#include "controller/cmd/cmd.h"
#include "controller/ops/gc.h"
#include "init/base/text.h"

struct args {
	const char *retention;
};

static const struct opt opts[] = {
	OPT_STR(0, "retention", struct args, retention, "DURATION",
		"keep logs of ended jobs for so long (7d)"),
	OPT_END,
};

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct args *args = opaque;
	cleanup(controller_close) struct controller *c = NULL;
	uint64_t retention_ns = GC_RETENTION_NS;
	struct gc_report report = { 0 };
	int result;

	(void)argc;
	(void)argv;
	if (args->retention && !text_parse_duration(args->retention, &retention_ns))
		return err_set(err, ERR_INVALID,
			       "--retention: '%s' is not a duration: write it like 12h or 7d",
			       args->retention);
	if (controller_open(&c, err) < 0)
		return -1;
	result = ops_collect(c, retention_ns, &report, err);
	printf("removed %zu Host blocks, %zu keys, %zu job directories, %zu bundles\n",
	       report.hosts, report.keys, report.directories, report.bundles);
	return result;
}

const struct verb cmd_gc = {
	.name = "gc",
	.operands = "",
	.summary = "collect what ended jobs left",
	.details =
		"Host blocks and keys of jobs that have ended go at once, their directories after the\n"
		"retention, bundles that no job uses after that time too.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.run = run,
};
