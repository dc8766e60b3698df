/* SPDX-License-Identifier: MIT */
/* berth release: a job that was held for inspection may end. */
#include <inttypes.h>

#include "controller/cmd/cmd.h"
#include "controller/ops/jobs.h"

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;

	(void)opaque;
	if (controller_open(&c, err) < 0)
		return -1;
	for (int i = 0; i < argc; i++) {
		cleanup(job_finish) struct job job = { 0 };

		if (ops_find_text(c, argv[i], &job, err) < 0 || ops_release(c, &job, err) < 0)
			return -1;
		printf("job-%" PRIu64 " is released\n", job.id);
	}
	return 0;
}

const struct verb cmd_release = {
	.name = "release",
	.operands = "JOB...",
	.summary = "end the hold of jobs",
	.details =
		"A job that was submitted with --hold stays when its command has ended. This ends it,\n"
		"with the status that the command had; 'berth cancel' would call it cancelled.",
	.mode = OPT_PERMUTE,
	.operands_min = 1,
	.operands_max = -1,
	.run = run,
};
