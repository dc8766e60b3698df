/* SPDX-License-Identifier: MIT */
/* Jobs behind FirecREST; see firecrest.h. */
#include "firecrest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controller/backends/firecrest/act.h"
#include "controller/backends/firecrest/observe.h"
#include "controller/backends/firecrest/pbs.h"
#include "controller/backends/firecrest/read.h"
#include "controller/backends/firecrest/site.h"
#include "controller/backends/firecrest/submit.h"
#include "controller/backends/jobdir.h"
#include "controller/backends/launch/launcher.h"
#include "controller/backends/slurm/links.h"
#include "controller/backends/slurm/submit.h"
#include "init/base/fs.h"
#include "init/base/log.h"

#define CANNOT(command)                                                                       \
	"FirecREST has no call for it: 'scontrol " command "' on a login node does it, or a " \
	"cluster with backend slurm and 'login'"

static struct firecrest *client_of(const struct backend *backend)
{
	return site_firecrest_client(backend->site);
}

static bool is_pbs(const struct backend *backend)
{
	return firecrest_is_pbs(client_of(backend));
}

/* The batch script, and the body of the call. */
static int write_job(const struct backend *backend, const struct submission *submission,
		     struct buf *ret_script, json_t **ret_body, struct err *err)
{
	if (!is_pbs(backend))
		return firecrest_write_script(submission, ret_script, err) < 0 ||
				       firecrest_make_submission(submission, ret_body, err) < 0
			       ? -1
			       : 0;
	if (pbs_write_script(submission, ret_script, err) < 0)
		return -1;
	return pbs_make_submission(submission, buf_str(ret_script), ret_body, err);
}

/* All that the job needs, put off: it goes as one archive. */
static int put_files(struct site *site, const struct submission *submission, struct span text,
		     struct err *err)
{
	const char *dir = submission->job->directory;
	cleanup_free char *script = fs_join(dir, FIRECREST_SCRIPT);
	cleanup_free char *variables = fs_join(dir, FIRECREST_VARIABLES);
	cleanup(buf_wipe) struct buf values = BUF_INIT(SLURM_SCRIPT_MAX);

	if (firecrest_write_variables(submission, &values, err) < 0 ||
	    site_write(site, script, text, 0700, err) < 0 ||
	    launcher_write_file(submission, site, err) < 0)
		return -1;
	if (buf_len(&values) > 0 && site_write(site, variables, buf_span(&values), 0600, err) < 0)
		return -1;
	return site_flush(site, err);
}

/* Nobody knows whether the server took the job: it can be looked for. */
static bool is_unclear(const struct err *err)
{
	return err->kind == ERR_PROTOCOL || err->kind == ERR_TIMEOUT;
}

static int hand_over(struct backend *backend, const json_t *body,
		     const struct submission *submission, struct submitted *ret, struct err *err)
{
	const struct firecrest_request request = { .method = "POST",
						   .path = "/compute/{system}/jobs",
						   .body = body };
	cleanup(json_release) json_t *answer = NULL;
	struct err own;

	if (firecrest_call(client_of(backend), &request, &answer, &own) == 0) {
		snprintf(ret->native_id, sizeof(ret->native_id), "%s",
			 firecrest_text(answer, "jobId"));
		return ret->native_id[0]
			       ? 0
			       : err_set(err, ERR_PROTOCOL, "the server did not tell a job id");
	}
	if (is_unclear(&own) &&
	    firecrest_find(backend, submission->job, ret->native_id, NULL) == 1) {
		log_warn("%s; the job was submitted all the same", own.text);
		return 0;
	}
	return err_set(err, own.kind, "%s", own.text);
}

static int submit(struct backend *backend, const struct submission *submission,
		  struct submitted *ret, struct err *err)
{
	cleanup(json_release) json_t *body = NULL;
	cleanup(buf_finish) struct buf script = BUF_INIT(SLURM_SCRIPT_MAX);

	if (write_job(backend, submission, &script, &body, err) < 0 ||
	    put_files(backend->site, submission, buf_span(&script), err) < 0 ||
	    hand_over(backend, body, submission, ret, err) < 0)
		return -1;
	slurm_link_output(backend->site, submission, ret->native_id);
	ret->state = JOB_QUEUED;
	return 0;
}

/* The body of the call, as a comment, and the script. */
static int render(struct backend *backend, const struct submission *submission, struct buf *ret,
		  struct err *err)
{
	cleanup(json_release) json_t *body = NULL;
	cleanup(buf_finish) struct buf script = BUF_INIT(SLURM_SCRIPT_MAX);
	cleanup_free char *text = NULL;

	if (write_job(backend, submission, &script, &body, err) < 0)
		return -1;
	/* It is what follows. */
	json_object_del(json_object_get(body, "job"), "script");
	text = json_dumps(body, JSON_COMPACT | JSON_PRESERVE_ORDER);
	if (!text || !buf_printf(ret, "# POST /compute/%s/jobs %s\n",
				 firecrest_system(client_of(backend)), text))
		return err_set(err, ERR_LIMIT, "longer than %d bytes", SLURM_SCRIPT_MAX);
	return buf_append_span(ret, buf_span(&script))
		       ? 0
		       : err_set(err, ERR_LIMIT, "longer than %d bytes", SLURM_SCRIPT_MAX);
}

static int get_status(struct backend *backend, const char *const *paths, size_t len, json_t **ret,
		      struct err *err)
{
	struct firecrest_request requests[2];
	struct err errs[2];

	for (size_t i = 0; i < len; i++)
		requests[i] = (struct firecrest_request){ .path = paths[i] };
	if (firecrest_call_many(client_of(backend), requests, len, ret, errs) == 0)
		return 0;
	for (size_t i = 0; i < len; i++)
		json_decref(ret[i]);
	return err_set(err, errs[0].kind ? errs[0].kind : errs[1].kind, "%s",
		       errs[0].kind ? errs[0].text : errs[1].text);
}

static int list_nodes(struct backend *backend, struct node_list *ret, struct err *err)
{
	static const char *const paths[] = { "/status/{system}/nodes" };
	cleanup(json_release) json_t *answer = NULL;

	if (get_status(backend, paths, ARRAY_LEN(paths), &answer, err) < 0) {
		answer = NULL;
		return -1;
	}
	firecrest_read_nodes(answer, is_pbs(backend), ret);
	return 0;
}

/*
 * Nodes do not tell, and programs of the login nodes are on none of the file systems that the
 * server lets be asked about: so nobody is.
 */
static int architectures(struct backend *backend, const char *queue, struct architectures *ret,
			 struct err *err)
{
	(void)backend, (void)queue, (void)ret, (void)err;
	return 0;
}

static int list_queues(struct backend *backend, struct queue_list *ret, struct err *err)
{
	static const char *const paths[] = { "/status/{system}/partitions",
					     "/status/{system}/nodes" };
	cleanup(node_list_finish) struct node_list nodes = { 0 };
	json_t *answers[ARRAY_LEN(paths)];

	if (get_status(backend, paths, ARRAY_LEN(paths), answers, err) < 0)
		return -1;
	firecrest_read_nodes(answers[1], is_pbs(backend), &nodes);
	firecrest_read_queues(answers[0], &nodes, ret);
	json_decref(answers[0]);
	json_decref(answers[1]);
	return 0;
}

static int list_reservations(struct backend *backend, struct reservation_list *ret, struct err *err)
{
	static const char *const paths[] = { "/status/{system}/reservations" };
	cleanup(json_release) json_t *answer = NULL;

	if (get_status(backend, paths, ARRAY_LEN(paths), &answer, err) < 0) {
		answer = NULL;
		return -1;
	}
	firecrest_read_reservations(answer, ret);
	return 0;
}

static int health(struct backend *backend, bool *ret_is_well, char *out, size_t size,
		  struct err *err)
{
	static const char *const paths[] = { "/status/systems", "/status/{system}/userinfo" };
	struct firecrest *fc = client_of(backend);
	char services[BACKEND_REASON_MAX], user[BACKEND_REASON_MAX], names[BACKEND_REASON_MAX];
	json_t *answers[ARRAY_LEN(paths)];
	const json_t *machine;

	if (get_status(backend, paths, ARRAY_LEN(paths), answers, err) < 0)
		return -1;
	machine = firecrest_find_system(answers[0], firecrest_system(fc));
	*ret_is_well = machine && firecrest_read_health(machine, services, sizeof(services));
	firecrest_system_names(answers[0], names, sizeof(names));
	firecrest_read_user(answers[1], user, sizeof(user));
	if (machine)
		snprintf(out, size, "%s as %s; %s", firecrest_system(fc), user, services);
	else
		snprintf(out, size, "no system '%s': there are %s", firecrest_system(fc), names);
	json_decref(answers[0]);
	json_decref(answers[1]);
	return 0;
}

static void close_backend(struct backend *backend)
{
	log_info("firecrest: %" PRIu64 " requests", firecrest_requests(client_of(backend)));
	site_close(backend->site);
	free(backend);
}

static const struct backend_ops firecrest_backend_ops = {
	.name = "firecrest",
	.submit = submit,
	.render = render,
	.observe = firecrest_observe,
	.find = firecrest_find,
	.locate = firecrest_locate,
	.cancel = firecrest_cancel,
	.act = firecrest_act,
	.cannot = { [ACT_HOLD] = CANNOT("hold"),
		    [ACT_RELEASE] = CANNOT("release"),
		    [ACT_REQUEUE] = CANNOT("requeue"),
		    [ACT_UPDATE] = CANNOT("update") },
	.release = firecrest_release,
	.read_log = jobdir_read_log,
	.log_since = jobdir_log_since,
	.endpoint = jobdir_endpoint,
	.list_nodes = list_nodes,
	.list_queues = list_queues,
	.architectures = architectures,
	.list_reservations = list_reservations,
	.batch_script = firecrest_batch_script,
	.list_runs = firecrest_list_runs,
	.health = health,
	.close = close_backend,
};

int firecrest_backend_open(const struct backend_settings *settings, struct site *site,
			   struct backend **ret, struct err *err)
{
	struct backend *backend;

	(void)settings;
	if (!site)
		return err_set(err, ERR_INVALID, "backend firecrest needs a server: set 'url'");
	backend = new_zero(struct backend);
	backend->ops = &firecrest_backend_ops;
	backend->site = site;
	*ret = backend;
	return 0;
}
