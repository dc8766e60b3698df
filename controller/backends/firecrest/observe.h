/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How jobs are: one list for all of them, or one call for one; jobs that the list does not have,
 * since servers tell of the last hours only, are asked for by their ids, at the same time; and what
 * nobody knows any more is read from the status files.
 */

#include "controller/backends/backend.h"

/* Members of the backend; see backend.h. */
int firecrest_observe(struct backend *backend, const struct job *const *jobs, size_t len,
		      struct observation *ret, struct err *err) attr_must_use;
int firecrest_find(struct backend *backend, const struct job *job, char ret_id[BACKEND_ID_MAX],
		   struct err *err) attr_must_use;
int firecrest_locate(struct backend *backend, const char *jobs_dir, struct job_list *ret,
		     struct err *err) attr_must_use;
int firecrest_batch_script(struct backend *backend, const struct job *job, struct batch_script *ret,
			   struct err *err) attr_must_use;
int firecrest_list_runs(struct backend *backend, const struct job *job, struct run_list *ret,
			struct err *err) attr_must_use;
