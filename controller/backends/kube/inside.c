/* SPDX-License-Identifier: MIT */
/* Into pods; see inside.h. */
#include "inside.h"

#include "controller/backends/kube/adopt.h"
#include "controller/backends/kube/ask.h"
#include "controller/backends/kube/bundle.h"
#include "controller/backends/kube/endpoint.h"
#include "controller/backends/kube/hold.h"
#include "controller/backends/kube/instance.h"
#include "controller/backends/kube/pod_init.h"
#include "controller/backends/kube/reach.h"
#include "controller/backends/kube/secret.h"
#include "init/base/fs.h"

static const char *programs_of(struct backend *backend)
{
	const struct kube_bundle bundle = { .image = kube_of(backend)->bundle_image,
					    .volume = kube_of(backend)->bundle_volume };

	return kube_programs_dir(&bundle);
}

int kube_inside_endpoint(struct backend *backend, const struct job *job, unsigned int rank,
			 char **ret, struct err *err)
{
	return job_is_adopted(job) ? kube_adopted_endpoint(kube_client(backend), job, ret, err)
				   : kube_endpoint(kube_client(backend), job, rank,
						   programs_of(backend), ret, err);
}

/* Nobody is asked which pod it is: who carries was told where it is, by endpoint(). */
int kube_inside_carry(struct backend *backend, const struct job *job, unsigned int rank,
		      const struct backend_carry *what, struct err *err)
{
	cleanup(kube_target_finish) struct kube_target target = { 0 };
	struct kube *kube = kube_client(backend);

	if (kube_known_target(kube, job, rank, &target, err) < 0)
		return -1;
	return kube_carry(kube, &target, what, err);
}

int kube_inside_exec(struct backend *backend, const struct job *job, unsigned int rank,
		     const struct backend_exec *exec, int *ret_status, struct err *err)
{
	cleanup(kube_target_finish) struct kube_target target = { 0 };
	struct kube *kube = kube_client(backend);

	if (kube_find_target(kube, job, rank, &target, err) < 0)
		return -1;
	return kube_exec(kube, &target, exec, ret_status, err);
}

/* Into the pod that runs, and for those that start later. */
int kube_inside_deliver(struct backend *backend, const struct job *job, const char *name,
			struct err *err)
{
	cleanup(kube_target_finish) struct kube_target target = { 0 };
	cleanup_free char *path = fs_join(job->directory, name);
	cleanup_free char *there = fs_join(KUBE_JOB_DIR, name);
	cleanup(buf_wipe) struct buf content = BUF_INIT(KUBE_SECRET_MAX);
	struct kube *kube = kube_client(backend);
	struct err own;

	if (job_is_adopted(job))
		return kube_adopted_deliver(kube, job, name, err);
	if (kube_renew_secret(kube, job, err) < 0)
		return -1;
	if (kube_find_target(kube, job, 0, &target, &own) < 0)
		return own.kind == ERR_NOT_FOUND ? 0 : err_set(err, own.kind, "%s", own.text);
	if (fs_read_file(path, KUBE_SECRET_MAX, &content, err) < 0)
		return -1;
	return kube_put_file(kube, &target, programs_of(backend), there, buf_span(&content), err);
}

/* One that has ended holds nothing. */
static int release_rank(struct backend *backend, struct kube *kube, const struct job *job,
			unsigned int rank, struct err *err)
{
	cleanup(kube_target_finish) struct kube_target target = { 0 };
	struct err own;

	if (kube_find_target(kube, job, rank, &target, &own) < 0)
		return own.kind == ERR_NOT_FOUND ? 0 : err_set(err, own.kind, "%s", own.text);
	return kube_end_hold(kube, &target, programs_of(backend), err);
}

int kube_inside_release(struct backend *backend, const struct job *job, struct err *err)
{
	struct kube *kube = kube_client(backend);
	int result = 0;

	for (uint64_t rank = 0; job_next_rank(job, rank, &rank); rank++) {
		if (job_means_rank(job, rank) &&
		    release_rank(backend, kube, job, (unsigned int)rank, result == 0 ? err : NULL) <
			    0)
			result = -1;
	}
	return result;
}

int kube_inside_fetch_status(struct backend *backend, const struct job *job, unsigned int rank,
			     struct err *err)
{
	cleanup(kube_target_finish) struct kube_target target = { 0 };
	struct kube *kube = kube_client(backend);

	if (kube_find_target(kube, job, rank, &target, err) < 0)
		return -1;
	return kube_fetch_status(kube, &target, programs_of(backend), job, rank, err);
}
