/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Operations of the backend that lead into pods which run: where the tunnel listens, bytes to it
 * and programs without it, other keys, the end of a hold, and what berth-init noted. Each is what
 * struct backend_ops says of it (backend.h). A job stands for its pods here: one of a job, of a
 * task, or of a rank.
 */

#include "controller/backends/backend.h"

int kube_inside_endpoint(struct backend *backend, const struct job *job, unsigned int rank,
			 char **ret, struct err *err) attr_must_use;
int kube_inside_carry(struct backend *backend, const struct job *job, unsigned int rank,
		      const struct backend_carry *what, struct err *err) attr_must_use;
int kube_inside_exec(struct backend *backend, const struct job *job, unsigned int rank,
		     const struct backend_exec *exec, int *ret_status, struct err *err)
	attr_must_use;
int kube_inside_deliver(struct backend *backend, const struct job *job, const char *name,
			struct err *err) attr_must_use;
int kube_inside_release(struct backend *backend, const struct job *job, struct err *err)
	attr_must_use;
int kube_inside_fetch_status(struct backend *backend, const struct job *job, unsigned int rank,
			     struct err *err) attr_must_use;
