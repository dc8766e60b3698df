/* SPDX-License-Identifier: MIT */
/* Into jobs without the tunnel: the checks around exec and carry (backend.h). */
#include "backend.h"

#include <assert.h>

#include "controller/backends/ask.h"

bool backend_can_exec(const struct backend *backend)
{
	return backend->ops->exec != NULL;
}

bool backend_can_carry(const struct backend *backend)
{
	return backend->ops->carry;
}

int backend_carry(struct backend *backend, const struct job *job, unsigned int rank,
		  const struct backend_carry *carry, struct err *err)
{
	backend_assert_own(backend, job);
	if (!backend->ops->carry)
		return err_set(err, ERR_UNSUPPORTED, "%s: carries no bytes into jobs",
			       backend->ops->name);
	return ask(backend, carry(backend, job, rank, carry, err), err);
}

int backend_exec(struct backend *backend, const struct job *job, unsigned int rank,
		 const struct backend_exec *exec, int *ret_status, struct err *err)
{
	backend_assert_own(backend, job);
	assert(exec->argv[0]);
	if (!backend->ops->exec)
		return err_set(
			err, ERR_UNSUPPORTED,
			"%s: only the tunnel leads into its jobs: 'berth doctor' says why it "
			"does not",
			backend->ops->name);
	if (job_check_rank(job, rank, err) < 0)
		return -1;
	return ask(backend, exec(backend, job, rank, exec, ret_status, err), err);
}
