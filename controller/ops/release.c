/* SPDX-License-Identifier: MIT */
/* Ending a hold; see jobs.h. */
#include <inttypes.h>

#include "controller/backends/jobdir.h"
#include "controller/ops/connect.h"
#include "controller/ops/internal.h"
#include "controller/ops/jobs.h"

static bool is_held(const struct job *job)
{
	struct status status;

	for (uint64_t rank = 0; rank < job->tasks; rank++) {
		if (jobdir_read_status(job->directory, (unsigned int)rank, &status, NULL) == 1 &&
		    status.held)
			return true;
	}
	return false;
}

int ops_release(struct controller *c, struct job *job, struct err *err)
{
	struct backend *backend;

	if (ops_refresh_job(c, job, err) < 0 || ops_check_not_ended(job, err) < 0 ||
	    controller_backend(c, job->backend, &backend, err) < 0)
		return -1;
	if (!is_held(job))
		return err_set(err, ERR_UNAVAILABLE,
			       "job-%" PRIu64 " is not held: its command has not ended", job->id);
	if (backend_release(backend, job, err) < 0)
		return err_wrap(err, "cannot release job-%" PRIu64, job->id);
	return 0;
}
