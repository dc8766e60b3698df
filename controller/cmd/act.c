/* SPDX-License-Identifier: MIT */
/* What the verbs that act on jobs share; see cmd.h. */
#include "controller/cmd/cmd.h"
#include "controller/ops/act.h"
#include "controller/ops/jobs.h"

struct wanted {
	struct controller *c;
	const struct act *act;
};

static bool fits(const void *arg, const struct job *job)
{
	const struct wanted *wanted = arg;

	return ops_act_fits(wanted->c, wanted->act, job);
}

int cmd_act(const struct act *act, const char *done, const struct many_args *args, int argc,
	    char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	struct wanted wanted = { .act = act };
	const struct many many = { .args = args,
				   .what = act->word ? act->word : act_word(act->kind),
				   .argc = argc,
				   .argv = argv,
				   .fits = fits,
				   .arg = &wanted };
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	int chosen;

	if (act_check(act, err) < 0 || controller_open(&c, err) < 0)
		return -1;
	wanted.c = c;
	chosen = many_choose(c, &many, &jobs, err);
	if (chosen <= 0)
		return chosen;
	if (ops_act(c, act, &jobs, err) < 0)
		return -1;
	for (size_t i = 0; i < jobs.len; i++) {
		char label[JOB_LABEL_SIZE];

		job_label(&jobs.items[i], label);
		printf("%s %s\n", label, done);
	}
	return 0;
}
