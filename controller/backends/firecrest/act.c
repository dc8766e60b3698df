/* SPDX-License-Identifier: MIT */
/* Acts on jobs; see act.h. */
#include "act.h"

#include <signal.h>
#include <inttypes.h>
#include <string.h>

#include "controller/backends/firecrest/site.h"
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

static int check_whole(const struct job *const *jobs, size_t len, struct err *err)
{
	for (size_t i = 0; i < len; i++) {
		char label[JOB_LABEL_SIZE];

		if (!jobs[i]->only || !jobs[i]->only[0])
			continue;
		job_label(jobs[i], label);
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: FirecREST knows arrays as a whole only: cancel job-%" PRIu64
			       ", or say 'scancel %s_%s' on a login node",
			       label, jobs[i]->id, jobs[i]->native_id, jobs[i]->only);
	}
	return 0;
}

int firecrest_cancel(struct backend *backend, const struct job *const *jobs, size_t len,
		     struct err *err)
{
	cleanup_free struct firecrest_request *requests = new_array(struct firecrest_request, len);
	cleanup_free json_t **answers = new_array(json_t *, len);
	cleanup_free char **paths = new_array(char *, len);
	cleanup_free struct err *errs = new_array(struct err, len);
	int result = 0;

	if (check_whole(jobs, len, err) < 0)
		return -1;
	for (size_t i = 0; i < len; i++) {
		paths[i] = str_printf("/compute/{system}/jobs/%s", jobs[i]->native_id);
		requests[i] = (struct firecrest_request){ .method = "DELETE",
							  .path = paths[i],
							  .may_repeat = true };
	}
	if (firecrest_call_many(site_firecrest_client(backend->site), requests, len, answers,
				errs) < 0)
		log_debug("firecrest: not all jobs were cancelled");
	for (size_t i = 0; i < len; i++) {
		char label[JOB_LABEL_SIZE];

		job_label(jobs[i], label);
		json_decref(answers[i]);
		free(paths[i]);
		if (errs[i].kind != ERR_NONE && !is_gone(&errs[i]) && result == 0)
			result = err_set(err, errs[i].kind, "%s: %s", label, errs[i].text);
	}
	return result;
}

/* scancel with words of ours alone, as one task of the job. */
static int make_command(const struct act *act, const struct job *job, struct buf *ret,
			struct err *err)
{
	cleanup(argv_finish) struct argv argv = { 0 };
	bool ok = buf_printf(ret, "--nodes=1 --ntasks=1");

	slurm_add_act(&argv, act, &job, 1);
	for (size_t i = 0; ok && i < argv.len; i++)
		ok = buf_append_u8(ret, ' ') && text_append_shell(ret, argv.items[i]);
	return ok ? 0 : err_set(err, ERR_LIMIT, "too long");
}

static int attach(struct firecrest *fc, const struct act *act, const struct job *job,
		  struct err *err)
{
	cleanup(buf_finish) struct buf command = BUF_INIT(COMMAND_MAX);
	cleanup_free char *path = str_printf("/compute/{system}/jobs/%s/attach", job->native_id);
	cleanup(json_release) json_t *body = NULL;
	cleanup(json_release) json_t *answer = NULL;
	struct firecrest_request request = { .method = "PUT", .path = path };

	if (make_command(act, job, &command, err) < 0)
		return -1;
	body = json_pack("{s:s}", "command", buf_str(&command));
	request.body = body;
	return firecrest_call(fc, &request, &answer, err);
}

int firecrest_act(struct backend *backend, const struct act *act, const struct job *const *jobs,
		  size_t len, struct err *err)
{
	int result = 0;

	for (size_t i = 0; i < len; i++) {
		char label[JOB_LABEL_SIZE];
		struct err own;

		if (attach(site_firecrest_client(backend->site), act, jobs[i], &own) == 0 ||
		    result < 0)
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
