/* SPDX-License-Identifier: MIT */
/* berth cancel: ends jobs. */
#include "controller/cmd/cmd.h"
#include "controller/cmd/many.h"
#include "controller/ops/gc.h"
#include "controller/ops/jobs.h"

static const struct opt opts[] = {
	MANY_ONLY_OPTS,
};

static void show(const struct job *job, bool was_over)
{
	char label[JOB_LABEL_SIZE];

	job_label(job, label);
	if (was_over)
		printf("%s had ended: %s\n", label, job_state_word(job->state));
	else if (job_is_adopted(job) && job_state_is_ended(job->state))
		printf("%s was let go: %s\n", label, job->reason);
	else if (job_state_is_ended(job->state))
		printf("%s ended: %s\n", label, job_state_word(job->state));
	else
		printf("%s is being cancelled\n", label);
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct many_only *args = opaque;
	const struct many many = {
		.args = &args->many, .what = "cancel", .argc = argc, .argv = argv
	};
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	cleanup_free bool *was_over = NULL;
	int result;

	if (controller_open(&c, err) < 0)
		return -1;
	result = many_choose(c, &many, &jobs, err);
	if (result <= 0)
		return result;
	was_over = new_array(bool, jobs.len);
	for (size_t i = 0; i < jobs.len; i++)
		was_over[i] = job_state_is_ended(jobs.items[i].state);
	result = ops_cancel(c, &jobs, OPS_CANCEL_PATIENCE_MS, err);
	for (size_t i = 0; i < jobs.len && result == 0; i++)
		show(&jobs.items[i], was_over[i]);
	ops_collect_in_passing(c);
	return result;
}

const struct verb cmd_cancel = {
	.name = "cancel",
	.operands = "[jobs] [JOB...]",
	.summary = "end jobs",
	.details =
		"A job is asked to end, and made to after ten seconds. One that ended already is left\n"
		"alone. Without names, options say what the jobs have in common; all must be true.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct many_only),
	.operands_max = -1,
	.run = run,
};
