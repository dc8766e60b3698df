/* SPDX-License-Identifier: MIT */
/* Acts on jobs; see act.h. */
#include "act.h"

#include <signal.h>
#include <inttypes.h>
#include <string.h>

#include "controller/backends/firecrest/site.h"
#include "controller/backends/firecrest/tasks.h"
#include "controller/backends/slurm/act.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define COMMAND_MAX 4096

static bool is_gone(const struct err *err)
{
	return err->kind == ERR_NOT_FOUND || strcasestr(err->text, "already completing") ||
	       strcasestr(err->text, "already finished") || strcasestr(err->text, "has finished") ||
	       strcasestr(err->text, "Invalid job id");
}

/* What comes of a call that ends a job; one that is gone is success. */
static int delete_jobs(struct firecrest *fc, const char *const *ids, size_t len, struct err *errs)
{
	cleanup_free struct firecrest_request *requests = new_array(struct firecrest_request, len);
	cleanup_free json_t **answers = new_array(json_t *, len);
	cleanup_free char **paths = new_array(char *, len);
	int result = 0;

	for (size_t i = 0; i < len; i++) {
		paths[i] = str_printf("/compute/{system}/jobs/%s", ids[i]);
		requests[i] = (struct firecrest_request){ .method = "DELETE",
							  .path = paths[i],
							  .may_repeat = true };
	}
	if (firecrest_call_many(fc, requests, len, answers, errs) < 0)
		log_debug("firecrest: not all jobs were cancelled");
	for (size_t i = 0; i < len; i++) {
		json_decref(answers[i]);
		free(paths[i]);
		if (errs[i].kind != ERR_NONE && !is_gone(&errs[i]))
			result = -1;
		else
			errs[i].kind = ERR_NONE;
	}
	return result;
}

static bool is_part(const struct job *job)
{
	return job->only && job->only[0];
}

/* Jobs as a whole, at the same time; those of which a part is meant are left out. */
static int cancel_whole(struct firecrest *fc, const struct job *const *jobs, size_t len,
			struct err *err)
{
	cleanup_free const struct job **whole = new_array(const struct job *, len);
	cleanup_free const char **ids = new_array(const char *, len);
	cleanup_free struct err *errs = new_array(struct err, len);
	size_t whole_len = 0;

	for (size_t i = 0; i < len; i++) {
		if (is_part(jobs[i]))
			continue;
		ids[whole_len] = jobs[i]->native_id;
		whole[whole_len++] = jobs[i];
	}
	if (delete_jobs(fc, ids, whole_len, errs) == 0)
		return 0;
	for (size_t i = 0; i < whole_len; i++) {
		char label[JOB_LABEL_SIZE];

		job_label(whole[i], label);
		if (errs[i].kind != ERR_NONE)
			return err_set(err, errs[i].kind, "%s: %s", label, errs[i].text);
	}
	return -1;
}

int firecrest_cancel(struct backend *backend, const struct job *const *jobs, size_t len,
		     struct err *err)
{
	int result = cancel_whole(site_firecrest_client(backend->site), jobs, len, err);

	for (size_t i = 0; i < len; i++) {
		char label[JOB_LABEL_SIZE];
		struct err own;

		if (!is_part(jobs[i]) || firecrest_cancel_tasks(backend, jobs[i], &own) == 0 ||
		    result < 0)
			continue;
		job_label(jobs[i], label);
		result = err_set(err, own.kind, "%s: %s", label, own.text);
	}
	return result;
}

int firecrest_attach(struct firecrest *fc, const char *id, const struct argv *argv, struct err *err)
{
	cleanup(buf_finish) struct buf command = BUF_INIT(COMMAND_MAX);
	cleanup_free char *path = str_printf("/compute/{system}/jobs/%s/attach", id);
	cleanup(json_release) json_t *body = NULL;
	cleanup(json_release) json_t *answer = NULL;
	struct firecrest_request request = { .method = "PUT", .path = path };
	bool ok = buf_printf(&command, "--nodes=1 --ntasks=1");

	for (size_t i = 0; ok && i < argv->len; i++)
		ok = buf_append_u8(&command, ' ') && text_append_shell(&command, argv->items[i]);
	if (!ok)
		return err_set(err, ERR_LIMIT, "too long");
	body = json_pack("{s:s}", "command", buf_str(&command));
	request.body = body;
	return firecrest_call(fc, &request, &answer, err);
}

/* scancel with words of ours alone, as one task of the job. */
static int signal_job(struct backend *backend, const struct act *act, const struct job *job,
		      struct err *err)
{
	cleanup(argv_finish) struct argv argv = { 0 };
	char id[BACKEND_ID_MAX];

	slurm_add_act(&argv, act, &job, 1);
	snprintf(id, sizeof(id), "%s", job->native_id);
	if (job_is_array(job) && firecrest_find_running(backend, job, id, err) < 0)
		return -1;
	return firecrest_attach(site_firecrest_client(backend->site), id, &argv, err);
}

int firecrest_act(struct backend *backend, const struct act *act, const struct job *const *jobs,
		  size_t len, struct err *err)
{
	int result = 0;

	for (size_t i = 0; i < len; i++) {
		char label[JOB_LABEL_SIZE];
		struct err own;

		if (signal_job(backend, act, jobs[i], &own) == 0 || result < 0)
			continue;
		job_label(jobs[i], label);
		result = err_set(err, own.kind, "%s: %s", label, own.text);
	}
	return result;
}

int firecrest_release(struct backend *backend, const struct job *job, struct err *err)
{
	const struct act act = { .kind = ACT_SIGNAL, .signal = SIGURG };

	return firecrest_act(backend, &act, &job, 1, err);
}
