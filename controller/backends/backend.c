/* SPDX-License-Identifier: MIT */
/* The checks around every backend; see backend.h. */
#include "backend.h"

#include <assert.h>
#include <string.h>

#include "controller/backends/ask.h"

struct backend *backend_close(struct backend *backend)
{
	if (backend && backend->ops->close)
		backend->ops->close(backend);
	return NULL;
}

const char *backend_name(const struct backend *backend)
{
	return backend->ops->name;
}

bool backend_observes_at_once(const struct backend *backend)
{
	return backend->ops->observes_at_once;
}

bool backend_keeps_endpoints(const struct backend *backend)
{
	return backend->ops->keeps_endpoints;
}

bool backend_can_kill(const struct backend *backend)
{
	return backend->ops->kill;
}

struct site *backend_site(const struct backend *backend)
{
	return backend->site;
}

void backend_assert_own(const struct backend *backend, const struct job *job)
{
	assert(strcmp(job->backend, backend->ops->name) == 0);
}

static int check(const struct backend *backend, const struct spec *spec, struct err *err)
{
	if (spec_check(spec, err) < 0)
		return -1;
	if (!backend->ops->runs_containers &&
	    spec_check_no_engine(spec, backend->ops->name, err) < 0)
		return -1;
	return 0;
}

int backend_submit(struct backend *backend, const struct submission *submission,
		   struct submitted *ret, struct err *err)
{
	struct submitted submitted = { .state = JOB_QUEUED };

	backend_assert_own(backend, submission->job);
	if (check(backend, submission->spec, err) < 0)
		return -1;
	if (ask(backend, submit(backend, submission, &submitted, err), err) < 0)
		return -1;
	if (submitted.native_id[0] == '\0')
		return err_set(err, ERR_PROTOCOL, "%s: gave the job no id", backend->ops->name);
	*ret = submitted;
	return 0;
}

int backend_render(struct backend *backend, const struct submission *submission, struct buf *ret,
		   struct err *err)
{
	backend_assert_own(backend, submission->job);
	if (check(backend, submission->spec, err) < 0)
		return -1;
	if (!backend->ops->render)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: hands over no script that could be shown: leave --dry-run out",
			       backend->ops->name);
	if (backend->ops->render(backend, submission, ret, err) < 0)
		return err_wrap(err, "%s", backend->ops->name);
	return 0;
}

int backend_observe(struct backend *backend, const struct job *const *jobs, size_t len,
		    struct observation *ret, struct err *err)
{
	if (len == 0)
		return 0;
	for (size_t i = 0; i < len; i++) {
		backend_assert_own(backend, jobs[i]);
		assert(!job_is_array(jobs[i]) || ret[i].runs);
		ret[i] = (struct observation){ .state = JOB_UNKNOWN,
					       .exit_code = JOB_NO_EXIT_CODE,
					       .runs = ret[i].runs };
	}
	if (ask(backend, observe(backend, jobs, len, ret, err), err) < 0)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (ret[i].runs)
			observation_fold(&ret[i]);
	}
	return 0;
}

bool backend_prepares(const struct backend *backend)
{
	return backend->ops->prepare && !site_is_remote(backend->site);
}

void backend_prepare(struct backend *backend, const struct submission *submission)
{
	backend_assert_own(backend, submission->job);
	/* What is refused has nothing to begin. */
	if (backend_prepares(backend) && check(backend, submission->spec, NULL) == 0)
		backend->ops->prepare(backend, submission);
}

void backend_expect(struct backend *backend)
{
	if (backend->ops->expect)
		backend->ops->expect(backend);
}

bool backend_await(struct backend *backend, unsigned int timeout_ms)
{
	return backend->ops->await && ask_reach(backend, NULL) == 0 &&
	       backend->ops->await(backend, timeout_ms);
}

int backend_cancel(struct backend *backend, const struct job *const *jobs, size_t len,
		   struct err *err)
{
	if (len == 0)
		return 0;
	for (size_t i = 0; i < len; i++)
		backend_assert_own(backend, jobs[i]);
	return ask(backend, cancel(backend, jobs, len, err), err);
}

int backend_check_act(const struct backend *backend, enum act_kind kind, struct err *err)
{
	const char *why = backend->ops->cannot[kind];

	if (!why && !backend->ops->act)
		why = "it can only cancel jobs";
	if (why)
		return err_set(err, ERR_UNSUPPORTED, "%s: %s", backend->ops->name, why);
	return 0;
}

int backend_act(struct backend *backend, const struct act *act, const struct job *const *jobs,
		size_t len, struct err *err)
{
	if (len == 0)
		return 0;
	for (size_t i = 0; i < len; i++)
		backend_assert_own(backend, jobs[i]);
	if (backend_check_act(backend, act->kind, err) < 0 || act_check(act, err) < 0)
		return -1;
	return ask(backend, act(backend, act, jobs, len, err), err);
}

int backend_kill(struct backend *backend, const struct job *job, struct err *err)
{
	backend_assert_own(backend, job);
	if (!backend->ops->kill)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: ends cancelled jobs by itself: wait for it",
			       backend->ops->name);
	return ask(backend, kill(backend, job, err), err);
}

int backend_release(struct backend *backend, const struct job *job, struct err *err)
{
	backend_assert_own(backend, job);
	if (!backend->ops->release)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: cannot end a hold: 'berth cancel' ends the job",
			       backend->ops->name);
	return ask(backend, release(backend, job, err), err);
}

int backend_read_log(struct backend *backend, const struct job *job, const struct log_part *part,
		     struct buf *ret, struct err *err)
{
	backend_assert_own(backend, job);
	if ((part->of_rank || part->of_task) && job_check_rank(job, part->rank, err) < 0)
		return -1;
	if (ask_reach(backend, err) < 0)
		return -1;
	return backend->ops->read_log(backend, job, part, ret, err);
}

int backend_log_since(struct backend *backend, const struct job *job, uint64_t since_ns,
		      struct log_part *part, struct err *err)
{
	backend_assert_own(backend, job);
	if (!backend->ops->log_since)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: it is not known when its jobs printed what: leave --since out, "
			       "or say how many lines with --tail",
			       backend->ops->name);
	if (backend->ops->log_since(backend, job, since_ns, part, err) < 0)
		return err_wrap(err, "%s", backend->ops->name);
	return 0;
}

int backend_expect_logs(struct backend *backend, const struct job *job,
			const struct log_part *parts, size_t len, uint64_t since_ns,
			struct err *err)
{
	backend_assert_own(backend, job);
	if (!backend->ops->expect_logs)
		return 0;
	if (ask_reach(backend, err) < 0)
		return -1;
	return backend->ops->expect_logs(backend, job, parts, len, since_ns, err);
}

int backend_endpoint(struct backend *backend, const struct job *job, unsigned int rank, char **ret,
		     struct err *err)
{
	backend_assert_own(backend, job);
	if (job_check_rank(job, rank, err) < 0 || ask_reach(backend, err) < 0)
		return -1;
	return backend->ops->endpoint(backend, job, rank, ret, err);
}

bool backend_can_find(const struct backend *backend)
{
	return backend->ops->find != NULL;
}

int backend_find(struct backend *backend, const struct job *job, char ret_id[BACKEND_ID_MAX],
		 struct err *err)
{
	backend_assert_own(backend, job);
	if (!backend->ops->find)
		return err_set(err, ERR_UNSUPPORTED, "%s: cannot look for jobs",
			       backend->ops->name);
	return ask(backend, find(backend, job, ret_id, err), err);
}

int backend_locate(struct backend *backend, const char *jobs_dir, struct job_list *ret,
		   struct err *err)
{
	if (!backend->ops->locate)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: only who submitted a job knows it: 'berth export' there puts "
			       "what is needed into a file",
			       backend->ops->name);
	return ask(backend, locate(backend, jobs_dir, ret, err), err);
}

int backend_find_foreign(struct backend *backend, const char *name, struct job *ret,
			 struct err *err)
{
	if (!backend->ops->adopt)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: has no containers that berth did not start",
			       backend->ops->name);
	return ask(backend, find_foreign(backend, name, ret, err), err);
}

int backend_adopt(struct backend *backend, const struct submission *submission, struct err *err)
{
	backend_assert_own(backend, submission->job);
	assert(job_is_adopted(submission->job) && backend->ops->adopt);
	return ask(backend, adopt(backend, submission, err), err);
}

int backend_abandon(struct backend *backend, const struct job *job, struct err *err)
{
	backend_assert_own(backend, job);
	assert(job_is_adopted(job));
	return backend->ops->abandon ? ask(backend, abandon(backend, job, err), err) : 0;
}

int backend_list_runs(struct backend *backend, const struct job *job, struct run_list *ret,
		      struct err *err)
{
	backend_assert_own(backend, job);
	if (!backend->ops->list_runs)
		return err_set(err, ERR_UNSUPPORTED, "%s: keeps no accounts", backend->ops->name);
	return ask(backend, list_runs(backend, job, ret, err), err);
}

int backend_batch_script(struct backend *backend, const struct job *job, struct batch_script *ret,
			 struct err *err)
{
	if (!backend->ops->batch_script)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: does not tell batch scripts: what was submitted is in the job "
			       "directory",
			       backend->ops->name);
	return ask(backend, batch_script(backend, job, ret, err), err);
}

int backend_stat(struct backend *backend, const struct job *job, struct use *ret, struct err *err)
{
	backend_assert_own(backend, job);
	if (!backend->ops->stat)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: measures no jobs: leave --scheduler out, and the job tells",
			       backend->ops->name);
	return ask(backend, stat(backend, job, ret, err), err);
}

int backend_health(struct backend *backend, bool *ret_is_well, char *out, size_t size,
		   struct err *err)
{
	if (!backend->ops->health)
		return err_set(err, ERR_UNSUPPORTED, "%s: has nothing to tell", backend->ops->name);
	return ask(backend, health(backend, ret_is_well, out, size, err), err);
}

int backend_list_nodes(struct backend *backend, struct node_list *ret, struct err *err)
{
	if (!backend->ops->list_nodes)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: runs jobs on this machine alone: there are no nodes to list",
			       backend->ops->name);
	return ask(backend, list_nodes(backend, ret, err), err);
}

static int architectures_of_nodes(struct backend *backend, const char *queue,
				  struct architectures *ret, struct err *err)
{
	cleanup(node_list_finish) struct node_list nodes = { 0 };

	if (!backend->ops->list_nodes)
		return 0;
	if (backend_list_nodes(backend, &nodes, err) < 0)
		return -1;
	for (size_t i = 0; i < nodes.len; i++) {
		if (!queue || node_is_in_queue(&nodes.items[i], queue))
			architectures_add(ret, nodes.items[i].architecture);
	}
	return 0;
}

int backend_architectures(struct backend *backend, const char *queue, struct architectures *ret,
			  struct err *err)
{
	if (!backend->ops->architectures)
		return architectures_of_nodes(backend, queue, ret, err);
	return ask(backend, architectures(backend, queue, ret, err), err);
}

int backend_list_queues(struct backend *backend, struct queue_list *ret, struct err *err)
{
	if (!backend->ops->list_queues)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: starts jobs at once: there are no queues to list",
			       backend->ops->name);
	return ask(backend, list_queues(backend, ret, err), err);
}

int backend_list_reservations(struct backend *backend, struct reservation_list *ret,
			      struct err *err)
{
	if (!backend->ops->list_reservations)
		return err_set(err, ERR_UNSUPPORTED, "%s: knows of no reservations",
			       backend->ops->name);
	return ask(backend, list_reservations(backend, ret, err), err);
}

bool backend_has_queue(const struct backend *backend)
{
	return backend->ops->list_queued != NULL;
}

static int refuse_report(const struct backend *backend, struct err *err)
{
	return err_set(
		err, ERR_UNSUPPORTED,
		"%s: starts jobs at once, or does not tell about its queue: 'berth get jobs' "
		"shows how jobs are",
		backend->ops->name);
}

int backend_report(struct backend *backend, struct scheduler_report *ret, struct err *err)
{
	if (!backend->ops->report)
		return refuse_report(backend, err);
	return ask(backend, report(backend, ret, err), err);
}

int backend_list_queued(struct backend *backend, struct queued_list *ret, struct err *err)
{
	if (!backend->ops->list_queued)
		return refuse_report(backend, err);
	return ask(backend, list_queued(backend, ret, err), err);
}

int backend_list_priorities(struct backend *backend, const struct job *const *jobs, size_t len,
			    struct priority *ret, struct err *err)
{
	for (size_t i = 0; i < len; i++)
		backend_assert_own(backend, jobs[i]);
	if (!backend->ops->list_priorities)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: does not tell what a priority is made of: 'sprio' on a login "
			       "node does",
			       backend->ops->name);
	return ask(backend, list_priorities(backend, jobs, len, ret, err), err);
}

bool backend_runs_containers(const struct backend *backend)
{
	return backend->ops->runs_containers;
}

/* Of a crashed berth's, find tells. */
static bool is_nowhere(const struct job *job, enum err_kind why)
{
	return job->native_id[0] == '\0' &&
	       (why == ERR_NOT_FOUND || why == ERR_UNAVAILABLE || why == ERR_DENIED);
}

int backend_forget(struct backend *backend, const struct job *job, struct err *err)
{
	struct err own;

	backend_assert_own(backend, job);
	if (!backend->ops->forget)
		return 0;
	if (ask_reach(backend, &own) < 0 && is_nowhere(job, own.kind))
		return 0;
	return ask(backend, forget(backend, job, err), err);
}

int backend_collect(struct backend *backend, struct err *err)
{
	return backend->ops->collect ? ask(backend, collect(backend, err), err) : 0;
}

int backend_fetch_status(struct backend *backend, const struct job *job, unsigned int rank,
			 struct err *err)
{
	backend_assert_own(backend, job);
	return backend->ops->fetch_status ? ask(backend, fetch_status(backend, job, rank, err), err)
					  : 0;
}

int backend_deliver(struct backend *backend, const struct job *job, const char *name,
		    struct err *err)
{
	backend_assert_own(backend, job);
	return backend->ops->deliver ? ask(backend, deliver(backend, job, name, err), err) : 0;
}
