/* SPDX-License-Identifier: MIT */
/* What the verbs that act on jobs share; see cmd.h. */
#include <inttypes.h>

#include "controller/cmd/cmd.h"
#include "controller/ops/act.h"
#include "controller/ops/jobs.h"

static bool fits(const void *act, const struct job *job)
{
	return ops_act_fits(act, job);
}

int cmd_act(const struct act *act, const char *done, const struct many_args *args, int argc,
	    char **argv, struct err *err)
{
	const struct many many = { .args = args,
				   .what = act_word(act->kind),
				   .argc = argc,
				   .argv = argv,
				   .fits = fits,
				   .arg = act };
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	int chosen;

	if (act_check(act, err) < 0 || controller_open(&c, err) < 0)
		return -1;
	chosen = many_choose(c, &many, &jobs, err);
	if (chosen <= 0)
		return chosen;
	if (ops_act(c, act, &jobs, err) < 0)
		return -1;
	for (size_t i = 0; i < jobs.len; i++)
		printf("job-%" PRIu64 " %s\n", jobs.items[i].id, done);
	return 0;
}
