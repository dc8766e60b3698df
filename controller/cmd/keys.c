/* SPDX-License-Identifier: MIT */
/* berth keys: another key for a running job, or none. */
#include <inttypes.h>
#include <string.h>

#include "controller/cmd/cmd.h"
#include "controller/ops/jobs.h"

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(job_finish) struct job job = { 0 };
	bool revoke = strcmp(argv[0], "revoke") == 0;

	(void)opaque;
	(void)argc;
	if (!revoke && strcmp(argv[0], "rotate") != 0)
		return err_set(err, ERR_INVALID, "keys: '%s' is neither rotate nor revoke",
			       argv[0]);
	if (controller_open(&c, err) < 0 || ops_find_text(c, argv[1], &job, err) < 0 ||
	    ops_refresh_job(c, &job, err) < 0 || ops_replace_keys(c, &job, revoke, err) < 0)
		return -1;
	printf(revoke ? "job-%" PRIu64 " lets nobody in any more\n"
		      : "job-%" PRIu64 " has a new key; connections of the old one end\n",
	       job.id);
	return 0;
}

const struct verb cmd_keys = {
	.name = "keys",
	.operands = "rotate|revoke JOB",
	.summary = "replace the key of a running job, or let nobody in any more",
	.details = "A new key is tried before the old one is dropped. What came with that ends.",
	.mode = OPT_PERMUTE,
	.operands_min = 2,
	.operands_max = 2,
	.run = run,
};
