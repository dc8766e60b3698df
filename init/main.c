/* SPDX-License-Identifier: MIT */
/* berth-init: the first process of a job. Signals first, then the plan, then the job. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "plan.h"
#include "signals.h"
#include "supervise.h"

/* With the signals as they were: what comes after us takes them for itself. */
static int become(char **command, const struct signals_inherited *signals, struct err *err)
{
	signals_restore(signals);
	execv(command[0], command);
	return err_set_errno(err, errno, "cannot run '%.200s'", command[0]);
}

int main(int argc, char **argv)
{
	struct signals_inherited signals;
	cleanup(plan_finish) struct plan plan = { 0 };
	struct err err = { 0 };
	int result;

	signals_take(&signals);
	result = plan_make(argc, argv, &plan, &err);
	if (result == PLAN_DONE || result == PLAN_REFUSED)
		return result == PLAN_DONE ? 0 : PLAN_REFUSED_STATUS;
	if (result == PLAN_BECOME)
		result = become(plan.command, &signals, &err);
	if (result == PLAN_RUN)
		result = supervise(&plan, &signals, &err);
	if (result >= 0)
		return result;
	fprintf(stderr, "%s: %s\n", plan.personality->name, err.text);
	return err_exit_status(&err);
}
