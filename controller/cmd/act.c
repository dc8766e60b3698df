/* SPDX-License-Identifier: MIT */
/* What the verbs that act on jobs share; see cmd.h. */
#include <inttypes.h>

#include "controller/cmd/cmd.h"
#include "controller/ops/act.h"
#include "controller/ops/jobs.h"

int cmd_find_jobs(struct controller *c, int argc, char **argv, struct job_list *ret,
		  struct err *err)
{
	for (int i = 0; i < argc; i++) {
		cleanup(job_finish) struct job job = { 0 };

		if (ops_find_text(c, argv[i], &job, err) < 0)
			return -1;
		job_list_take(ret, &job);
	}
	return 0;
}

int cmd_act(const struct act *act, const char *done, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(job_list_finish) struct job_list jobs = { 0 };

	if (act_check(act, err) < 0 || controller_open(&c, err) < 0 ||
	    cmd_find_jobs(c, argc, argv, &jobs, err) < 0 || ops_act(c, act, &jobs, err) < 0)
		return -1;
	for (size_t i = 0; i < jobs.len; i++)
		printf("job-%" PRIu64 " %s\n", jobs.items[i].id, done);
	return 0;
}
