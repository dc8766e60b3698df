/* SPDX-License-Identifier: MIT */
/* What the verbs that act on jobs share; see cmd.h. */
#include <stdio.h>

#include "controller/cmd/cmd.h"
#include "controller/ops/act.h"
#include "controller/ops/jobs.h"
#include "init/base/alloc.h"

struct wanted {
	struct controller *c;
	const struct act *act;
};

static bool fits(const void *arg, const struct job *job)
{
	const struct wanted *wanted = arg;

	return ops_act_fits(wanted->c, wanted->act, job);
}

struct label {
	char text[JOB_LABEL_SIZE];
};

/* As they were named: of an array, what is done may be meant for the tasks that run. */
static struct label *label_all(const struct job_list *jobs)
{
	struct label *labels = new_array(struct label, jobs->len);

	for (size_t i = 0; i < jobs->len; i++)
		job_label(&jobs->items[i], labels[i].text);
	return labels;
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
	cleanup_free struct label *labels = NULL;
	int chosen;

	if (act_check(act, err) < 0 || controller_open(&c, err) < 0)
		return -1;
	wanted.c = c;
	chosen = many_choose(c, &many, &jobs, err);
	if (chosen <= 0)
		return chosen;
	labels = label_all(&jobs);
	if (ops_act(c, act, &jobs, err) < 0)
		return -1;
	for (size_t i = 0; i < jobs.len; i++)
		printf("%s %s\n", labels[i].text, done);
	return 0;
}
