/* SPDX-License-Identifier: MIT */
/* Finding jobs and learning how they are; see jobs.h. */
#include "jobs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "init/base/indices.h"
#include "controller/ops/age.h"
#include "controller/ops/internal.h"
#include "controller/ops/where.h"
#include "init/base/text.h"

#define RECENT_NS (86400 * NSEC_PER_SEC)
#define POLL_AT_ONCE_MS 50
#define POLL_REQUEST_MS 1000
#define POLL_DEAR_MS 5000
#define LINE_SIZE 256

/* Once for a name: some verbs look a job up twice. */
static int tell_which(struct controller *c, const struct job *job, struct err *err)
{
	static uint64_t told;
	uint64_t others, id;
	char line[LINE_SIZE];
	size_t len;

	if (!controller_choice.say || told == job->id)
		return 0;
	if (store_count_namesakes(c->store, job, controller_choice.cluster, &others, &id, err) < 0)
		return -1;
	if (others == 0)
		return 0;
	len = (size_t)snprintf(line, sizeof(line),
			       "%s is job-%" PRIu64 ", the newest: job-%" PRIu64, job->name,
			       job->id, id);
	if (others == 1)
		snprintf(line + len, sizeof(line) - len, " is called so, too");
	else
		snprintf(line + len, sizeof(line) - len, " and %" PRIu64 " more are called so, too",
			 others - 1);
	controller_choice.say(line);
	told = job->id;
	return 0;
}

/* The name of a job that is nearest to this one; NULL: none is near. free() it. */
static char *nearest_name(struct controller *c, const char *name)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	unsigned int least = TEXT_CLOSE + 1;
	const char *close = NULL;

	if (store_list(c->store, STORE_ALL, 0, &jobs, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < jobs.len; i++) {
		unsigned int far = text_distance(name, jobs.items[i].name);

		if (jobs.items[i].name[0] && far < least) {
			least = far;
			close = jobs.items[i].name;
		}
	}
	return close ? str_dup(close) : NULL;
}

static int find_by_name(struct controller *c, const char *name, struct job *ret, struct err *err)
{
	cleanup_free char *close = NULL;
	struct err own;

	if (store_find_by_name(c->store, name, controller_choice.cluster, ret, &own) == 0)
		return tell_which(c, ret, err);
	close = own.kind == ERR_NOT_FOUND ? nearest_name(c, name) : NULL;
	if (close && strcmp(close, name) != 0)
		return err_set(err, ERR_NOT_FOUND, "no job '%s': did you mean '%s'?", name, close);
	return err_set(err, own.kind, "%s", own.text);
}

static int find(struct controller *c, const struct ref *ref, struct job *ret, struct err *err)
{
	cleanup(job_finish) struct job job = { 0 };
	const char *cluster = controller_choice.cluster;

	if (ref->id ? store_find_by_id(c->store, ref->id, &job, err) < 0
		    : find_by_name(c, ref->name, &job, err) < 0)
		return -1;
	if (ref->cluster[0] && strcmp(ref->cluster, job.cluster) != 0)
		cluster = ref->cluster;
	if (cluster && strcmp(cluster, job.cluster) != 0)
		return err_set(err, ERR_NOT_FOUND, "job-%" PRIu64 " is on '%s', not on '%.40s'",
			       job.id, job.cluster, cluster);
	*ret = job;
	job = (struct job){ 0 };
	return 0;
}

/* Only these tasks of an array are meant; each of them must be one. */
static int choose_tasks(struct job *job, const char *tasks, struct err *err)
{
	if (!job_is_array(job))
		return err_set(err, ERR_INVALID,
			       "job-%" PRIu64 " is no array: its ranks start and end together, say "
			       "job-%" PRIu64,
			       job->id, job->id);
	for (uint64_t task = 0; indices_next(tasks, task, &task); task++) {
		if (job_check_task(job, task, err) < 0)
			return -1;
	}
	job_set(job, only, tasks);
	return 0;
}

int ops_find(struct controller *c, const struct ref *ref, struct job *ret, struct err *err)
{
	cleanup(job_finish) struct job job = { 0 };
	unsigned int rank;
	char task[24];

	if (find(c, ref, &job, err) < 0)
		return -1;
	snprintf(task, sizeof(task), "%u", ref->rank);
	if (ref->has_rank && job_is_array(&job) && choose_tasks(&job, task, err) < 0)
		return -1;
	if (ref->has_inner && ref_choose_rank(ref, &job, &rank, err) < 0)
		return -1;
	*ret = job;
	job = (struct job){ 0 };
	return 0;
}

/* "job-7_[0-4,9]": the part before the bracket, and what is in it; false for anything else. */
static bool split_tasks(const char *text, char **ret_job, char **ret_tasks)
{
	const char *open = strstr(text, "_[");
	size_t len = strlen(text);

	if (!open || text[len - 1] != ']')
		return false;
	*ret_job = str_dup_len(text, (size_t)(open - text));
	*ret_tasks = str_dup_len(open + 2, (size_t)(text + len - 1 - (open + 2)));
	return true;
}

static int refuse_rank(const char *text, struct err *err)
{
	return err_set(err, ERR_INVALID,
		       "%.80s: the ranks of a task start and end together, say %.*s", text,
		       (int)MIN(strrchr(text, '.') - text, 80), text);
}

/* The tasks that are meant, or the rank. */
static int choose_part(struct job *job, const struct ref *ref, const char *tasks, bool may_be_rank,
		       struct err *err)
{
	if (!may_be_rank || !ref->has_rank || (job_is_array(job) && !ref->has_inner))
		return tasks ? choose_tasks(job, tasks, err) : 0;
	if (ref_choose_rank(ref, job, &job->rank, err) < 0)
		return -1;
	job->of_rank = true;
	return job_is_array(job) ? choose_tasks(job, tasks, err) : 0;
}

static int find_text(struct controller *c, const char *text, bool may_be_rank, struct job *ret,
		     struct err *err)
{
	cleanup(job_finish) struct job job = { 0 };
	cleanup_free char *before = NULL, *tasks = NULL;
	struct ref ref;

	if (!split_tasks(text, &before, &tasks)) {
		if (ref_parse(text, &ref, err) < 0)
			return -1;
		if (ref.has_inner && !may_be_rank)
			return refuse_rank(text, err);
		if (ref.has_rank)
			tasks = str_printf("%u", ref.rank);
	} else if (!indices_are_valid(tasks) || strchr(tasks, '%')) {
		return err_set(err, ERR_INVALID,
			       "'%.80s': tasks of an array are written as job-7_[0-4,9]", text);
	} else if (ref_parse(before, &ref, err) < 0) {
		return -1;
	}
	if (find(c, &ref, &job, err) < 0 || choose_part(&job, &ref, tasks, may_be_rank, err) < 0)
		return -1;
	*ret = job;
	job = (struct job){ 0 };
	return 0;
}

int ops_find_text(struct controller *c, const char *text, struct job *ret, struct err *err)
{
	return find_text(c, text, false, ret, err);
}

int ops_find_to_show(struct controller *c, const char *text, struct job *ret, struct err *err)
{
	return find_text(c, text, true, ret, err);
}

int ops_list(struct controller *c, bool all, struct job_list *ret, struct err *err)
{
	if (store_list(c->store, all ? STORE_ALL : STORE_SINCE, controller_now_ns() - RECENT_NS,
		       ret, err) < 0)
		return -1;
	return ops_keep_chosen(c, ret, err);
}

/*
 * The scheduler may begin to answer while we read. What is read is as it was before it was asked:
 * a job that is recorded later would be one that it does not know.
 */
static int list_and_expect(struct controller *c, const struct selection *selection,
			   struct job_list *ret, struct err *err)
{
	cleanup_free char *cluster = NULL;
	struct backend *backend;
	int result;

	if (store_begin_reading(c->store, err) < 0)
		return -1;
	result = store_find_busy_cluster(c->store, &cluster, err);
	if (result == 0 && cluster && ops_is_chosen(c, cluster) &&
	    !(selection->may_be_aged && age_is_allowed(c, cluster)) &&
	    controller_backend(c, cluster, &backend, NULL) == 0)
		backend_expect(backend);
	if (result == 0)
		result = ops_list(c, selection->all, ret, err);
	return store_end_reading(c->store, result == 0 ? err : NULL) < 0 ? -1 : result;
}

/* The same job, the same tasks of one array, or the same rank. */
static bool is_listed(const struct job_list *jobs, const struct job *job)
{
	for (size_t i = 0; i < jobs->len; i++) {
		const struct job *listed = &jobs->items[i];

		if (listed->id == job->id && strcmp(listed->only, job->only) == 0 &&
		    listed->of_rank == job->of_rank && listed->rank == job->rank)
			return true;
	}
	return false;
}

static int find_named(struct controller *c, char *const *names, size_t len, bool may_be_rank,
		      struct job_list *ret, struct err *err)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };

	for (size_t i = 0; i < len; i++) {
		cleanup(job_finish) struct job job = { 0 };

		if (find_text(c, names[i], may_be_rank, &job, err) < 0)
			return -1;
		if (!is_listed(&jobs, &job))
			job_list_take(&jobs, &job);
	}
	*ret = jobs;
	jobs = (struct job_list){ 0 };
	return 0;
}

int ops_find_named(struct controller *c, char *const *names, size_t len, struct job_list *ret,
		   struct err *err)
{
	return find_named(c, names, len, false, ret, err);
}

static int find_selected(struct controller *c, const struct selection *selection,
			 struct job_list *ret, struct err *err)
{
	return selection->len == 0 ? list_and_expect(c, selection, ret, err)
				   : find_named(c, selection->jobs, selection->len,
						selection->is_to_show, ret, err);
}

int ops_select(struct controller *c, const struct selection *selection, struct job_list *ret,
	       struct err *err)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	int refreshed;

	if (find_selected(c, selection, &jobs, err) < 0)
		return -1;
	refreshed = selection->may_be_aged ? ops_refresh_aged(c, &jobs, err)
					   : ops_refresh(c, &jobs, err);
	if (selection->filter)
		filter_apply(selection->filter, controller_now_ns(), &jobs);
	*ret = jobs;
	jobs = (struct job_list){ 0 };
	return refreshed < 0 ? 1 : 0;
}

/* Who has its logs, as long as there are any. */
static int open_logs(struct controller *c, const struct job *job, struct backend **ret,
		     struct err *err)
{
	if (job->collected)
		return err_set(err, ERR_NOT_FOUND,
			       "job-%" PRIu64 ": what it printed has been collected", job->id);
	return controller_backend(c, job->cluster, ret, err);
}

int ops_read_log(struct controller *c, const struct job *job, const struct log_part *part,
		 struct buf *ret, struct err *err)
{
	struct backend *backend;

	if (open_logs(c, job, &backend, err) < 0)
		return -1;
	return backend_read_log(backend, job, part, ret, err);
}

int ops_log_since(struct controller *c, const struct job *job, uint64_t since_ns,
		  struct log_part *part, struct err *err)
{
	struct backend *backend;

	if (open_logs(c, job, &backend, err) < 0)
		return -1;
	if (backend_log_since(backend, job, since_ns, part, err) < 0)
		return err_wrap(err, "job-%" PRIu64, job->id);
	return 0;
}

int ops_expect_logs(struct controller *c, const struct job *job, const struct log_part *parts,
		    size_t len, uint64_t since_ns, struct err *err)
{
	struct backend *backend;

	if (open_logs(c, job, &backend, err) < 0)
		return -1;
	return backend_expect_logs(backend, job, parts, len, since_ns, err);
}

unsigned int ops_poll_interval_ms(struct controller *c, const struct job *job)
{
	struct backend *backend;

	if (controller_backend(c, job->cluster, &backend, NULL) == 0 &&
	    backend_observes_at_once(backend))
		return POLL_AT_ONCE_MS;
	return ops_job_is_dear(c, job) ? POLL_DEAR_MS : POLL_REQUEST_MS;
}

/* The cluster of all that have not ended, or NULL. */
static const char *only_cluster(const struct job_list *jobs)
{
	const char *cluster = NULL;

	for (size_t i = 0; i < jobs->len; i++) {
		const struct job *job = &jobs->items[i];

		if (job_state_is_ended(job->state))
			continue;
		if (cluster && strcmp(cluster, job->cluster) != 0)
			return NULL;
		cluster = job->cluster;
	}
	return cluster;
}

void ops_await(struct controller *c, const struct job_list *jobs, unsigned int ms)
{
	const char *cluster = only_cluster(jobs);
	struct backend *backend;

	if (cluster && controller_backend(c, cluster, &backend, NULL) == 0 &&
	    backend_await(backend, ms))
		return;
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 },
		  NULL);
}

bool ops_job_is_dear(struct controller *c, const struct job *job)
{
	struct backend *backend;

	return controller_backend(c, job->cluster, &backend, NULL) == 0 &&
	       !site_can_run(backend_site(backend));
}

bool ops_job_is_remote(struct controller *c, const struct job *job)
{
	struct backend *backend;

	return controller_backend(c, job->cluster, &backend, NULL) == 0 &&
	       site_is_remote(backend_site(backend));
}
