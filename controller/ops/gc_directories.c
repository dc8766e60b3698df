/* SPDX-License-Identifier: MIT */
/* Collecting the directories of jobs that have ended; see gc.h and quota.h. */
#include "gc_internal.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "controller/backends/jobdir.h"
#include "controller/ops/jobs.h"
#include "controller/ops/quota.h"
#include "controller/ops/where.h"
#include "init/base/fs.h"
#include "init/base/text.h"

/* So many are removed before that is recorded: a collection that is killed begins there again. */
#define BATCH 200

/* One cluster's. */
struct sweep {
	struct collection *g;
	struct backend *backend;
	struct quota_item *items;
	size_t len;
	struct quota quota;
	bool is_measured;
};

static void add_item(struct gc_report *report, const struct quota_item *item, bool is_measured)
{
	const struct job *job = item->job;

	report->items = alloc_grow(report->items, report->directories + 1, sizeof(*report->items));
	report->items[report->directories++] = (struct gc_item){
		.job_id = job->id,
		.cluster = str_dup(job->cluster),
		.directory = str_dup(job->directory),
		.bytes = item->bytes,
		.is_measured = is_measured,
		.is_old = item->is_old,
	};
	report->bytes += item->bytes;
}

static struct quota by_age(const struct collection *g)
{
	return (struct quota){ .before_ns = g->before_ns,
			       .bytes_max = QUOTA_NONE,
			       .jobs_max = QUOTA_NONE };
}

/* What flags say, else the cluster's settings. */
static int find_quota(struct sweep *s, const char *cluster, struct err *err)
{
	const struct gc_plan *plan = s->g->plan;
	const char *size = plan->keep_size, *jobs = plan->keep_jobs;
	struct where where;

	if (ops_choose(s->g->c, cluster, &where, err) < 0)
		return -1;
	if (where.settings) {
		size = size ? size : config_text(s->g->c->config, where.settings, "keep_size");
		jobs = jobs ? jobs : config_text(s->g->c->config, where.settings, "keep_jobs");
	}
	if (size && !text_parse_size(size, &s->quota.bytes_max))
		return err_set(err, ERR_INVALID, "'%.40s' is not a size: write it like 10G", size);
	if (jobs && !text_parse_uint(jobs, UINT32_MAX, &s->quota.jobs_max))
		return err_set(err, ERR_INVALID, "'%.40s' is not a number of jobs", jobs);
	return 0;
}

static bool has_quota(const struct sweep *s)
{
	return s->quota.bytes_max != QUOTA_NONE || s->quota.jobs_max != QUOTA_NONE;
}

/*
 * Whether the cluster answers about the jobs that it still has; asked only when not all clusters
 * did.
 */
static int check_answers(struct sweep *s, const char *cluster, struct err *err)
{
	cleanup(job_list_finish) struct job_list open = { 0 };
	size_t kept = 0;

	if (!s->g->was_refused)
		return 0;
	if (store_list(s->g->c->store, STORE_OPEN, 0, &open, err) < 0)
		return -1;
	for (size_t i = 0; i < open.len; i++) {
		if (strcmp(open.items[i].cluster, cluster) != 0)
			job_finish(&open.items[i]);
		else
			open.items[kept++] = open.items[i];
	}
	open.len = kept;
	return ops_refresh(s->g->c, &open, err);
}

static int apply_quota(struct sweep *s, const char *cluster, bool *ret_is_measured, struct err *err)
{
	struct site *site = backend_site(s->backend);

	if (find_quota(s, cluster, err) < 0 || (has_quota(s) && check_answers(s, cluster, err) < 0))
		return -1;
	if (s->quota.bytes_max != QUOTA_NONE) {
		if (quota_measure(site, s->items, s->len, err) < 0)
			return err_wrap(err, "how large the jobs of %s are", cluster);
		*ret_is_measured = true;
	} else if (s->g->plan->dry_run && site_can_run(site)) {
		*ret_is_measured = quota_measure(site, s->items, s->len, NULL) == 0;
	}
	return 0;
}

/* Without an answer of the cluster there is no quota; what is old goes without one. */
static void choose(struct sweep *s, const char *cluster)
{
	struct collection *g = s->g;

	s->quota = by_age(g);
	if (!g->in_passing && apply_quota(s, cluster, &s->is_measured, g->err) < 0) {
		gc_note(g, -1);
		s->quota = by_age(g);
	}
	quota_choose(s->items, s->len, &s->quota);
}

/* Removed with one question, then recorded. */
static int remove_some(struct sweep *s, struct quota_item *items, size_t len, struct err *err)
{
	struct collection *g = s->g;
	bool is_remote = site_is_remote(backend_site(s->backend)), there[BATCH];

	for (size_t i = 0; i < len; i++) {
		there[i] = is_remote || fs_exists(items[i].job->directory);
		if (items[i].goes && !g->plan->dry_run &&
		    leftovers_begin_removing(g->c, items[i].job, err) < 0)
			return -1;
	}
	if (!g->plan->dry_run && site_flush(backend_site(s->backend), err) < 0)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (!items[i].goes)
			continue;
		if (!g->plan->dry_run &&
		    store_mark_collected(g->c->store, items[i].job->id, err) < 0)
			return -1;
		if (there[i])
			add_item(&g->report, &items[i], s->is_measured);
	}
	return 0;
}

/* One that cannot be removed is no reason to keep the others. */
static void remove_chosen(struct sweep *s)
{
	struct err err;
	size_t step = BATCH;

	for (size_t at = 0; at < s->len;) {
		size_t len = MIN(s->len - at, step);

		if (remove_some(s, &s->items[at], len, &err) == 0) {
			at += len;
		} else if (err.kind == ERR_UNAVAILABLE || err.kind == ERR_TIMEOUT) {
			gc_note(s->g, err_set(s->g->err, err.kind, "%s", err.text));
			return;
		} else if (len > 1) {
			step = 1;
		} else {
			gc_note(s->g, err_set(s->g->err, err.kind, "%s", err.text));
			at++;
		}
	}
}

static void sweep_cluster(struct collection *g, const char *cluster, struct job_list *jobs)
{
	cleanup_free struct quota_item *items = new_array(struct quota_item, jobs->len);
	struct sweep s = { .g = g, .items = items };

	for (size_t i = 0; i < jobs->len; i++) {
		struct job *job = &jobs->items[i];

		if (job_is_ours(job) && strcmp(job->cluster, cluster) == 0)
			s.items[s.len++].job = job;
	}
	if (controller_backend(g->c, cluster, &s.backend, g->err) < 0) {
		gc_note(g, -1);
		return;
	}
	/* In passing, nobody is asked. */
	if (g->in_passing &&
	    (site_is_remote(backend_site(s.backend)) || backend_runs_containers(s.backend)))
		return;
	choose(&s, cluster);
	remove_chosen(&s);
}

/* The directory is that of whoever submitted the job: what is here goes. */
static void release_foreign(struct collection *g, const struct job *job)
{
	if (job->ended_ns >= g->before_ns || g->plan->dry_run)
		return;
	gc_note(g, leftovers_release_here(g->c, job, g->err));
	gc_note(g, store_mark_collected(g->c->store, job->id, g->err));
}

static bool is_first_of_cluster(const struct job_list *jobs, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (job_is_ours(&jobs->items[i]) &&
		    strcmp(jobs->items[i].cluster, jobs->items[at].cluster) == 0)
			return false;
	}
	return true;
}

void gc_collect_directories(struct collection *g)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	/* Quotas look at all that is there. */
	uint64_t since_ns = g->in_passing ? g->before_ns : INT64_MAX;

	gc_note(g, store_list(g->c->store, STORE_COLLECTABLE, since_ns, &jobs, g->err));
	for (size_t i = 0; i < jobs.len; i++) {
		if (!job_is_ours(&jobs.items[i]))
			release_foreign(g, &jobs.items[i]);
		else if (is_first_of_cluster(&jobs, i) &&
			 ops_is_chosen(g->c, jobs.items[i].cluster))
			sweep_cluster(g, jobs.items[i].cluster, &jobs);
	}
}

static void collect_unrecorded(struct collection *g, const char *path)
{
	struct gc_report *report = &g->report;

	if (g->plan->dry_run ? !jobdir_is_left(path, g->settled_ns)
			     : !jobdir_remove_left(path, g->settled_ns))
		return;
	report->items = alloc_grow(report->items, report->directories + 1, sizeof(*report->items));
	report->items[report->directories++] =
		(struct gc_item){ .cluster = str_dup(""), .directory = str_dup(path) };
}

void gc_collect_unrecorded(struct collection *g)
{
	const char *jobs_dir = g->c->paths.jobs_dir;
	DIR *dir = opendir(jobs_dir);
	struct dirent *entry;

	if (!dir) {
		if (errno != ENOENT)
			gc_note(g, err_set_errno(g->err, errno, "list %s", jobs_dir));
		return;
	}
	while ((entry = readdir(dir))) {
		cleanup_free char *path = fs_join(jobs_dir, entry->d_name);

		if (job_is_uid(entry->d_name))
			collect_unrecorded(g, path);
	}
	closedir(dir);
}
