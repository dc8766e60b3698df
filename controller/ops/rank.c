/* SPDX-License-Identifier: MIT */
/* One rank of a job; see rank.h. */
#include "rank.h"

#include <string.h>

#include "controller/backends/jobdir.h"
#include "controller/model/hostlist.h"
#include "controller/model/json.h"
#include "controller/ops/internal.h"
#include "init/base/log.h"

#define ENDPOINT_MAX (64 * 1024)
#define NODE_SIZE 256

/* What a rank left; not what an attempt left that was before the one that waits now. */
struct left {
	struct site *site;
	struct status status;
	bool has_status;
};

static bool open_left(struct controller *c, const struct job *job, struct left *ret)
{
	cleanup_free char *prefixes = str_printf("status.%u. endpoint.%u.", job->rank, job->rank);
	const char *directory = job->directory;
	struct backend *backend;
	struct err why;

	if (job->collected || job->state == JOB_DEFINED || job->state == JOB_QUEUED ||
	    controller_backend(c, job->cluster, &backend, NULL) < 0)
		return false;
	ret->site = backend_site(backend);
	site_forget(ret->site);
	if (backend_fetch_status(backend, job, job->rank, &why) < 0 ||
	    site_prefetch(ret->site, &directory, 1, prefixes, &why) < 0)
		log_debug("%s", why.text);
	ret->has_status =
		jobdir_read_status(ret->site, job->directory, job->rank, &ret->status, NULL) == 1;
	return true;
}

/* The name of its host, if the scheduler says that of a node of the job, too. */
static void find_node(const struct left *left, struct job *job)
{
	cleanup_free char *path = str_printf("%s/endpoint.%u.json", job->directory, job->rank);
	cleanup(buf_finish) struct buf text = BUF_INIT(ENDPOINT_MAX);
	cleanup(json_release) json_t *endpoint = NULL;
	char node[NODE_SIZE];
	const char *host;

	if (site_read(left->site, path, 0, ENDPOINT_MAX, &text, NULL) < 0 ||
	    json_parse(buf_span(&text), ENDPOINT_MAX, &endpoint, NULL) < 0)
		return;
	host = json_string_value(json_object_get(endpoint, "host"));
	if (!host)
		return;
	jobdir_copy_text(node, sizeof(node), host);
	if (!hostlist_has(job->node_list, node))
		node[strcspn(node, ".")] = '\0';
	if (!hostlist_has(job->node_list, node))
		return;
	job_set(job, node_list, node);
	job->nodes = 1;
}

static enum job_state state_of(const struct job *job, const struct status *status)
{
	if (!status->exited)
		return job->state;
	if (status->exit_code == 0 && status->signal == 0)
		return JOB_SUCCEEDED;
	return job_state_is_ended(job->state) && job->state != JOB_SUCCEEDED ? job->state
									     : JOB_FAILED;
}

static void show_status(const struct status *status, struct job *job)
{
	enum job_state state = state_of(job, status);

	job->started_ns = status->started_ns;
	/* What is said of all of the job explains this rank only where it is as the job is. */
	if (state != job->state) {
		job_set(job, native_state, "");
		job_set(job, reason, "");
	}
	job->state = state;
	if (!status->exited)
		return;
	job->exit_code = status->exit_code;
	job->signal = status->signal;
	job->ended_ns = status->ended_ns;
}

void rank_show(struct controller *c, struct job *job)
{
	struct left left = { 0 };

	if (job->tasks <= 1)
		return; /* it is the job, or the task */
	job->exit_code = JOB_NO_EXIT_CODE;
	job->signal = 0;
	if (!open_left(c, job, &left))
		return;
	find_node(&left, job);
	if (left.has_status)
		show_status(&left.status, job);
}

void rank_add_run(struct controller *c, const struct job *job, struct run_list *runs)
{
	struct run *run = run_list_add(runs, job_task_of_rank(job, job->rank));
	struct left left = { 0 };

	run_of_record(job, run);
	if (open_left(c, job, &left) && left.has_status) {
		run->max_rss = left.status.max_rss;
		run->cpu_ns = left.status.cpu_ns;
	}
}
