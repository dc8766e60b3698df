/* SPDX-License-Identifier: MIT */
/* Entering jobs that another workstation submitted; see attach.h. */
#include "attach.h"

#include <inttypes.h>
#include <string.h>

#include "controller/backends/jobdir.h"
#include "controller/model/job_spec.h"
#include "controller/model/ref.h"
#include "controller/ops/adopt.h"
#include "controller/ops/connect.h"
#include "controller/ops/internal.h"
#include "controller/ops/jobs.h"
#include "controller/ops/place.h"
#include "controller/ops/rekey.h"
#include "init/base/fs.h"
#include "init/base/log.h"

#define SPEC_NAME "spec.json"

/* What is asked for, and where. */
struct attach {
	struct controller *c;
	struct where where;
	struct backend *backend;
	const char *what; /* the operand without the cluster */
	bool names_cluster;
	struct notes *notes;
};

/* "CLUSTER:JOB", or JOB on the chosen cluster. free() *ret_cluster. */
static int open_attach(struct attach *a, const char *operand, char **ret_cluster, struct err *err)
{
	const char *colon = strchr(operand, ':');

	a->what = colon ? colon + 1 : operand;
	a->names_cluster = colon != NULL;
	if (colon) {
		cleanup_free char *word = str_dup_len(operand, (size_t)(colon - operand));
		char *known = ops_adopting_cluster(a->c, word);

		*ret_cluster = known ? known : take_ptr(word);
	}
	if (a->what[0] == '\0' || colon == operand)
		return err_set(err, ERR_INVALID,
			       "'%.80s' is not [CLUSTER:]JOB: say hpc:123, a uid, or a job's name",
			       operand);
	return ops_choose(a->c, *ret_cluster, &a->where, err);
}

static bool is_meant(const struct job *job, const char *what)
{
	return strcmp(job->native_id, what) == 0 || strcmp(job->uid, what) == 0 ||
	       (job->name[0] && strcmp(job->name, what) == 0);
}

/* 1: it is known here; 0: it is not. An ended one counts only where nothing else is called so. */
static int find_known(const struct attach *a, struct job *ret, struct err *err)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	struct ref ref;

	if (!a->names_cluster && strncmp(a->what, "job-", 4) == 0 &&
	    ref_parse(a->what, &ref, NULL) == 0 && ref.id)
		return ops_find(a->c, &ref, ret, err) < 0 ? -1 : 1;
	if (store_list(a->c->store, STORE_ALL, 0, &jobs, err) < 0)
		return -1;
	for (size_t i = jobs.len; i-- > 0;) {
		struct job *job = &jobs.items[i];

		if (strcmp(job->cluster, a->where.cluster) != 0 || !is_meant(job, a->what) ||
		    (job_state_is_ended(job->state) && strcmp(job->uid, a->what) != 0))
			continue;
		*ret = *job;
		*job = (struct job){ 0 };
		return 1;
	}
	return 0;
}

/* The newest of those that are meant, one that has not ended before any that has. */
static struct job *choose(const struct attach *a, struct job_list *jobs)
{
	struct job *chosen = NULL;
	size_t open = 0;

	for (size_t i = 0; i < jobs->len; i++) {
		struct job *job = &jobs->items[i];
		bool has_ended = job_state_is_ended(job->state);

		if (!is_meant(job, a->what))
			continue;
		open += !has_ended;
		/* Names of directories begin with the time. */
		if (!chosen || (job_state_is_ended(chosen->state) && !has_ended) ||
		    (job_state_is_ended(chosen->state) == has_ended &&
		     strcmp(job->uid, chosen->uid) > 0))
			chosen = job;
	}
	if (open > 1)
		notes_add(a->notes,
			  "%zu jobs of yours on %s are called %s: this is the newest, %s; say "
			  "%s:ID for another",
			  open, a->where.cluster, a->what, chosen->native_id, a->where.cluster);
	return chosen;
}

/* Where directories of jobs are, when that is here; nobody is asked for it. NULL: elsewhere. */
static int find_directories(const struct attach *a, char **ret, struct err *err)
{
	cleanup(place_finish) struct place place = { 0 };

	*ret = NULL;
	if (backend_site(a->backend))
		return 0;
	if (place_find(a->c, &a->where, NULL, &place, err) < 0)
		return -1;
	*ret = fs_join(place.home, "jobs");
	return 0;
}

/* What the scheduler lists; then, in one message, what lies in the job's directory. */
static int find_listed(const struct attach *a, struct job *ret, struct err *err)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	struct site *site = backend_site(a->backend);
	cleanup_free char *jobs_dir = NULL;
	const struct job *chosen;

	if (find_directories(a, &jobs_dir, err) < 0 ||
	    backend_locate(a->backend, jobs_dir, &jobs, err) < 0)
		return -1;
	chosen = choose(a, &jobs);
	if (!chosen)
		return err_set(err, ERR_NOT_FOUND,
			       "no job '%.80s' of yours with a directory of berth's is listed by "
			       "%s: it may have ended",
			       a->what, a->where.cluster);
	if (job_state_is_ended(chosen->state))
		return err_set(err, ERR_UNAVAILABLE, "%s of %s ended: %s", chosen->native_id,
			       a->where.cluster, job_state_word(chosen->state));
	if (site_prefetch(site, &(const char *){ chosen->directory }, 1,
			  SPEC_NAME " " REKEY_PREFETCH, err) < 0)
		return -1;
	for (size_t i = 0; i < jobs.len; i++) {
		if (&jobs.items[i] != chosen)
			continue;
		*ret = jobs.items[i];
		jobs.items[i] = (struct job){ 0 };
	}
	return 0;
}

static int describe(const struct attach *a, struct job *job, struct err *err)
{
	cleanup_free char *path = fs_join(job->directory, SPEC_NAME);
	cleanup(buf_finish) struct buf text = BUF_INIT(SPEC_JSON_MAX);

	if (site_read(backend_site(a->backend), path, 0, SPEC_JSON_MAX, &text, err) < 0 ||
	    job_read_spec(job, buf_span(&text), err) < 0)
		return err_wrap(err, "job %s of %s cannot be entered from here", job->native_id,
				a->where.cluster);
	job_set(job, cluster, a->where.cluster);
	job_set(job, backend, backend_name(a->backend));
	job_set(job, origin, JOB_ATTACHED);
	return 0;
}

/* The key of this workstation, and what ssh has to know. */
static int let_in(const struct attach *a, const struct job *job, bool is_prefetched,
		  struct err *err)
{
	const struct rekey_plan plan = {
		.login = a->where.is_remote ? config_text(a->c->config, a->where.settings, "login")
					    : NULL,
		.is_prefetched = is_prefetched,
	};
	cleanup(bundle_finish) struct bundle bundle = { 0 };
	struct err own;
	int done;

	if (bundle_find(a->c->paths.program, &bundle, err) < 0 ||
	    keys_make_host(a->c, bundle.tunnel, err) < 0)
		return -1;
	done = ops_rotate_key(a->c, job, &plan, &own);
	if (done < 0)
		return err_set(err, own.kind, "%s", own.text);
	if (done > 0)
		notes_add(a->notes, "%s", own.text);
	hosts_add_job(a->c, job, a->notes);
	return 0;
}

/* Two clusters of the configuration may be one. */
static int check_unknown(const struct attach *a, const struct job *job, struct err *err)
{
	cleanup(job_finish) struct job known = { 0 };

	if (store_find_by_uid(a->c->store, job->uid, &known, NULL) < 0)
		return 0;
	return err_set(err, ERR_EXISTS, "it is known here as job-%" PRIu64 " of the cluster %s",
		       known.id, known.cluster);
}

/* By what the scheduler lists and the job directory holds. */
static int attach_listed(const struct attach *a, struct job *job, struct err *err)
{
	if (find_listed(a, job, err) < 0 || describe(a, job, err) < 0 ||
	    check_unknown(a, job, err) < 0 || store_add_job(a->c->store, job, err) < 0)
		return -1;
	if (let_in(a, job, true, err) == 0)
		return 0;
	/* The job itself is somebody's: only what was made here goes. */
	if (leftovers_release_here(a->c, job, NULL) < 0 ||
	    store_delete_job(a->c->store, job->id, NULL) < 0)
		return err_wrap(err, "job-%" PRIu64 " (not cleared away)", job->id);
	return -1;
}

static int attach_known(const struct attach *a, struct job *job, struct err *err)
{
	if (ops_refresh_job(a->c, job, err) < 0 || ops_check_not_ended(job, err) < 0)
		return -1;
	if (job_is_adopted(job) && ops_adopt_again(a->c, &a->where, job, err) < 0)
		return -1;
	return let_in(a, job, false, err);
}

/* One that is known may be called otherwise than it was. */
static int attach_foreign(const struct attach *a, struct job *job, struct err *err)
{
	int known = ops_find_adopted(a->c, &a->where, a->what, job, err);

	if (known != 0)
		return known < 0 ? -1 : attach_known(a, job, err);
	return ops_adopt(a->c, &a->where, a->what, job, a->notes, err);
}

/* By backend; the last one is that of all others. */
static const struct {
	const char *backend;
	int (*attach)(const struct attach *a, struct job *job, struct err *err);
} methods[] = {
	{ "docker", attach_foreign },
	{ "kubernetes", attach_foreign },
	{ NULL, attach_listed },
};

/* A container that ended, while another one may be called as it was. */
static bool is_gone(const struct attach *a, struct job *job)
{
	if (!job_is_adopted(job) || ops_refresh_job(a->c, job, NULL) < 0 ||
	    !job_state_is_ended(job->state))
		return false;
	job_finish(job);
	return true;
}

int ops_attach(struct controller *c, const char *operand, struct job *ret, struct notes *notes,
	       struct err *err)
{
	cleanup(job_finish) struct job job = { 0 };
	cleanup_free char *cluster = NULL;
	struct attach a = { .c = c, .notes = notes };
	size_t i = 0;
	int result;

	if (open_attach(&a, operand, &cluster, err) < 0)
		return -1;
	result = find_known(&a, &job, err);
	if (result > 0 && is_gone(&a, &job))
		result = 0;
	/* One that is named by its number may be on another cluster than the chosen one. */
	if (result < 0 || (result > 0 && ops_choose(c, job.cluster, &a.where, err) < 0) ||
	    controller_backend(c, a.where.cluster, &a.backend, err) < 0)
		return -1;
	while (methods[i].backend && strcmp(methods[i].backend, a.where.backend) != 0)
		i++;
	if (result > 0)
		result = attach_known(&a, &job, err);
	else
		result = methods[i].attach(&a, &job, err);
	if (result < 0)
		return -1;
	*ret = job;
	job = (struct job){ 0 };
	return 0;
}
