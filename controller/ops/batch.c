/* SPDX-License-Identifier: MIT */
/* Many jobs in one request; see batch.h. */
#include "batch.h"

#include <inttypes.h>
#include <string.h>

#include "controller/ops/age.h"

static int ask_backend(struct controller *c, const struct batch_plan *plan, const char *name,
		       const struct job_list *jobs, struct err *err)
{
	cleanup_free const struct job **asked = new_array(const struct job *, jobs->len);
	struct backend *backend;
	size_t len = 0;

	for (size_t i = 0; i < jobs->len; i++) {
		if (plan->wants(&jobs->items[i]) && strcmp(jobs->items[i].cluster, name) == 0)
			asked[len++] = &jobs->items[i];
	}
	/* Before it is done: nobody shall take what was seen earlier for what comes of it. */
	if (age_mark(c, name, asked, len, false, err) == 0 &&
	    controller_backend(c, name, &backend, err) == 0 &&
	    plan->ask(backend, plan->arg, asked, len, err) == 0)
		return 0;
	if (len == 1)
		return err_wrap(err, "cannot %s job-%" PRIu64, plan->what, asked[0]->id);
	return err_wrap(err, "cannot %s all of %zu jobs", plan->what, len);
}

static bool was_asked(const struct batch_plan *plan, const struct job_list *jobs, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (plan->wants(&jobs->items[i]) &&
		    strcmp(jobs->items[i].cluster, jobs->items[at].cluster) == 0)
			return true;
	}
	return false;
}

int batch_ask(struct controller *c, const struct batch_plan *plan, const struct job_list *jobs,
	      struct err *err)
{
	int result = 0;

	for (size_t i = 0; i < jobs->len; i++) {
		if (plan->wants(&jobs->items[i]) && !was_asked(plan, jobs, i) &&
		    ask_backend(c, plan, jobs->items[i].cluster, jobs, result == 0 ? err : NULL) <
			    0)
			result = -1;
	}
	return result;
}
