/* SPDX-License-Identifier: MIT */
/* Slurm by slurmrestd; see slurmrest.h. */
#include "slurmrest.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controller/backends/jobdir.h"
#include "controller/backends/slurm/files.h"
#include "controller/backends/slurm/links.h"
#include "controller/backends/slurm/submit.h"
#include "controller/backends/slurmrest/act.h"
#include "controller/backends/slurmrest/observe.h"
#include "controller/backends/slurmrest/read.h"
#include "controller/backends/slurmrest/report.h"
#include "controller/backends/slurmrest/submit.h"
#include "init/base/fs.h"

#define NO_REQUEUE                                                                       \
	"slurmrestd has no call for it: 'scontrol requeue' on a login node does it, or " \
	"cancel the job and submit it again"

static int check(const struct spec *spec, struct err *err)
{
	if (spec->script && spec->script_beyond)
		return err_set(err, ERR_UNSUPPORTED,
			       "'#SBATCH --%s': slurmrestd does not read scripts, and berth "
			       "cannot hand this on: leave it out, or use a cluster with backend "
			       "slurm",
			       spec->script_beyond);
	return 0;
}

static int put_files(struct site *site, const struct submission *submission, struct err *err)
{
	cleanup_free char *input = fs_join(submission->job->directory, JOBDIR_INPUT);

	if (slurm_put_files(site, submission, err) < 0 ||
	    slurm_put_script(site, submission, err) < 0 ||
	    site_link(site, "/dev/null", input, err) < 0)
		return -1;
	return site_flush(site, err);
}

static int submit(struct backend *backend, const struct submission *submission,
		  struct submitted *ret, struct err *err)
{
	struct slurmrest *rest = slurmrest_of(backend);
	cleanup(json_release) json_t *body = NULL;
	cleanup(json_release) json_t *answer = NULL;
	struct slurmrest_call call = { .method = "POST", .path = "/job/submit" };
	uint64_t id;

	if (check(submission->spec, err) < 0 || slurmrest_find_version(rest, err) < 0 ||
	    slurmrest_make_submission(submission, rest->version, rest->user, &body, err) < 0 ||
	    put_files(backend->site, submission, err) < 0)
		return -1;
	call.body = body;
	if (slurmrest_call(rest, &call, &answer, err) < 0)
		return -1;
	if (!slurmrest_number(json_object_get(answer, "job_id"), &id) || id == 0 || id > UINT32_MAX)
		return err_set(err, ERR_PROTOCOL,
			       "slurmrestd did not tell a job id: look with squeue whether it "
			       "took the job");
	snprintf(ret->native_id, sizeof(ret->native_id), "%" PRIu64, id);
	slurm_link_output(backend->site, submission, ret->native_id);
	ret->state = JOB_QUEUED;
	return 0;
}

/* What would be sent, in the newest form when the server has not been asked for its version. */
static int render(struct backend *backend, const struct submission *submission, struct buf *ret,
		  struct err *err)
{
	struct slurmrest *rest = slurmrest_of(backend);
	unsigned int version = rest->version ? rest->version : SLURMREST_NEWEST;
	cleanup(json_release) json_t *body = NULL;

	if (check(submission->spec, err) < 0 ||
	    slurmrest_make_submission(submission, version, rest->user, &body, err) < 0)
		return -1;
	if (!json_append_readable(ret, body))
		return err_set(err, ERR_LIMIT, "longer than %d bytes", SLURM_SCRIPT_MAX);
	return 0;
}

static int get(struct backend *backend, const char *path, json_t **ret, struct err *err)
{
	const struct slurmrest_call call = { .path = path };

	return slurmrest_call(slurmrest_of(backend), &call, ret, err);
}

static int list_nodes(struct backend *backend, struct node_list *ret, struct err *err)
{
	cleanup(json_release) json_t *answer = NULL;

	if (get(backend, "/nodes", &answer, err) < 0)
		return -1;
	slurmrest_read_nodes(answer, ret);
	return 0;
}

static int list_queues(struct backend *backend, struct queue_list *ret, struct err *err)
{
	cleanup(json_release) json_t *answer = NULL;
	cleanup(node_list_finish) struct node_list nodes = { 0 };

	if (list_nodes(backend, &nodes, err) < 0 || get(backend, "/partitions", &answer, err) < 0)
		return -1;
	slurmrest_read_queues(answer, &nodes, ret);
	return 0;
}

static int list_reservations(struct backend *backend, struct reservation_list *ret, struct err *err)
{
	cleanup(json_release) json_t *answer = NULL;

	if (get(backend, "/reservations", &answer, err) < 0)
		return -1;
	slurmrest_read_reservations(answer, ret);
	return 0;
}

static void close_backend(struct backend *backend)
{
	struct slurmrest *rest = slurmrest_of(backend);

	site_close(backend->site);
	http_close(rest->http);
	free(rest->user);
	free(rest);
}

static const struct backend_ops slurmrest_backend_ops = {
	.name = "slurmrest",
	.submit = submit,
	.render = render,
	.observe = slurmrest_observe,
	.find = slurmrest_find,
	.locate = slurmrest_locate,
	.cancel = slurmrest_cancel,
	.act = slurmrest_act,
	.cannot = { [ACT_REQUEUE] = NO_REQUEUE },
	.release = slurmrest_release,
	.read_log = jobdir_read_log,
	.log_since = jobdir_log_since,
	.expect_logs = jobdir_expect_logs,
	.endpoint = jobdir_endpoint,
	.list_nodes = list_nodes,
	.list_queues = list_queues,
	.list_reservations = list_reservations,
	.report = slurmrest_report,
	.list_queued = slurmrest_list_queued,
	.list_runs = slurmrest_list_runs,
	.close = close_backend,
};

/* Who we are: there, as far as the login node's name says it, else here. */
static char *own_name(const struct site *site)
{
	const struct passwd *user = getpwuid(getuid());
	const char *at = site ? strrchr(site->login, '@') : NULL;

	if (at && at > site->login)
		return str_dup_len(site->login, (size_t)(at - site->login));
	return user ? str_dup(user->pw_name) : str_printf("%u", getuid());
}

int slurmrest_backend_open(const struct backend_settings *settings, struct site *site,
			   struct backend **ret, struct err *err)
{
	struct slurmrest *rest;
	struct http *http;
	unsigned int version = settings->api ? slurmrest_parse_version(settings->api) : 0;

	if (!settings->url)
		return err_set(err, ERR_INVALID,
			       "backend slurmrest needs the address of slurmrestd: set 'url' to "
			       "http://host:6820 or unix:/path/of/socket");
	if (settings->api && !version)
		return err_set(err, ERR_INVALID,
			       "api: '%.40s' is not a version that berth speaks: v0.0.%d to "
			       "v0.0.%d, or leave it out",
			       settings->api, SLURMREST_OLDEST, SLURMREST_NEWEST);
	if (http_open(settings->url, &http, err) < 0)
		return err_wrap(err, "url");
	rest = new_zero(struct slurmrest);
	rest->base.ops = &slurmrest_backend_ops;
	rest->base.site = site;
	rest->http = http;
	rest->version = version;
	rest->user = settings->user ? str_dup(settings->user) : own_name(site);
	rest->tokens = settings->tokens;
	*ret = &rest->base;
	return 0;
}
