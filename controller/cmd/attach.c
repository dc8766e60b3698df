/* SPDX-License-Identifier: MIT */
/* berth attach: enters a job from a workstation that did not submit it. */
#include <inttypes.h>

#include "controller/cmd/cmd.h"
#include "controller/ops/attach.h"

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(notes_finish) struct notes notes = { 0 };
	cleanup(job_finish) struct job job = { 0 };
	int result;

	(void)opaque, (void)argc;
	if (controller_open(&c, err) < 0)
		return -1;
	result = ops_attach(c, argv[0], &job, &notes, err);
	cmd_show_notes(&notes);
	if (result < 0)
		return -1;
	printf("job-%" PRIu64 "\n", job.id);
	fprintf(stderr, "berth: job-%" PRIu64 " is %s%s%s of %s: ssh job-%" PRIu64 "\n", job.id,
		job.name, job.name[0] ? ", " : "", job.native_id, job.cluster, job.id);
	return 0;
}

const struct verb cmd_attach = {
	.name = "attach",
	.operands = "[CLUSTER:]JOB",
	.summary = "enter a running job from a workstation that did not submit it",
	.details =
		"JOB is the scheduler's id, a uid, or a job's name. This workstation gets a key of\n"
		"its own, others keep theirs; a job that is known here gets another key.\n"
		"docker:NAME is a container that berth did not start, k8s:NAMESPACE/POD[/CONTAINER] one\n"
		"of a pod: the tunnel is put into it, and 'berth cancel' takes it out again.",
	.mode = OPT_PERMUTE,
	.operands_min = 1,
	.operands_max = 1,
	.run = run,
};
