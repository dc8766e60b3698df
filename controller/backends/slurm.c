/* SPDX-License-Identifier: MIT */
/* Slurm by its own commands; see slurm.h. */
#include "slurm.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controller/backends/jobdir.h"
#include "controller/backends/slurm_text.h"
#include "controller/run/child.h"
#include "init/base/fs.h"
#include "init/base/text.h"

#define COMMAND_TIMEOUT_MS 60000
/* By name: this machine and the nodes may number signals differently. */
#define SIGNAL_RELEASE "--signal=URG"

static const char *const times_in_seconds[] = { "SLURM_TIME_FORMAT=%s", NULL };

/* What Slurm's commands say when no controller answers them, and when it does not want us. */
static const struct {
	const char *words;
	enum err_kind kind;
} complaints[] = {
	{ "unable to contact", ERR_UNAVAILABLE },
	{ "connection refused", ERR_UNAVAILABLE },
	{ "slurm.conf", ERR_UNAVAILABLE },
	{ "s_p_parse_file", ERR_UNAVAILABLE },
	{ "configuration source", ERR_UNAVAILABLE },
	{ "resolve_ctls", ERR_UNAVAILABLE },
	{ "munge", ERR_UNAVAILABLE },
	{ "permission", ERR_DENIED },
	{ "denied", ERR_DENIED },
};

static int explain(const char *why, struct err *err)
{
	enum err_kind kind = ERR_INVALID;

	for (size_t i = 0; i < ARRAY_LEN(complaints) && kind == ERR_INVALID; i++) {
		if (strcasestr(why, complaints[i].words))
			kind = complaints[i].kind;
	}
	if (kind == ERR_UNAVAILABLE)
		return err_set(
			err, kind,
			"the controller (slurmctld) cannot be asked: %s: try again later, or "
			"check that this machine is part of the cluster",
			why);
	return err_set(err, kind, "%s", why);
}

/* Runs a command of Slurm. A refusal is an error of its words; the kind follows from them. */
static int run(const char *const *argv, const char *const *env, struct child *ret, struct err *err)
{
	const struct child_plan plan = { .argv = argv,
					 .env = env,
					 .timeout_ms = COMMAND_TIMEOUT_MS };
	char why[BACKEND_REASON_MAX];

	if (child_run(&plan, ret, err) < 0) {
		if (err && err->kind == ERR_NOT_FOUND)
			return err_set(err, ERR_UNAVAILABLE,
				       "no %s on this machine: install Slurm's commands, or use "
				       "--backend local",
				       argv[0]);
		return -1;
	}
	if (ret->status == 0)
		return 0;
	child_complaint(ret, why, sizeof(why));
	return explain(why[0] ? why : argv[0], err);
}

static const char **make_environment(const struct spec *spec)
{
	const char **env = new_array(const char *, spec->env_len + 1);

	for (size_t i = 0; i < spec->env_len; i++)
		env[i] = spec->env[i];
	return env;
}

static int write_script(const struct submission *submission, const char *path, struct err *err)
{
	cleanup(buf_finish) struct buf script = BUF_INIT(SLURM_SCRIPT_MAX);

	if (slurm_write_script(submission, &script, err) < 0)
		return -1;
	return fs_write_file(path, buf_span(&script), 0700, err);
}

static int submit(struct backend *backend, const struct submission *submission,
		  struct submitted *ret, struct err *err)
{
	cleanup_free char *script = fs_join(submission->job->directory, "script.sh");
	cleanup(argv_finish) struct argv argv = { 0 };
	cleanup(child_finish) struct child child = { 0 };
	cleanup_free const char **env = NULL;
	uint64_t id;

	(void)backend;
	if (submission->spec->image)
		return err_set(err, ERR_UNSUPPORTED,
			       "--image: jobs run without a container there: leave it out");
	if (write_script(submission, script, err) < 0)
		return -1;
	slurm_add_options(&argv, submission);
	argv_add(&argv, script);
	env = make_environment(submission->spec);
	if (run(argv_words(&argv), env, &child, err) < 0)
		return -1;
	if (!slurm_parse_submitted(buf_span(&child.output), &id))
		return err_set(err, ERR_PROTOCOL,
			       "sbatch did not print a job id: look with squeue whether it took "
			       "the job");
	snprintf(ret->native_id, sizeof(ret->native_id), "%" PRIu64, id);
	ret->state = JOB_QUEUED;
	return 0;
}

/* The job with this id, or len. */
static size_t find(const struct job *const *jobs, size_t len, uint64_t id)
{
	uint64_t own;

	for (size_t i = 0; i < len; i++) {
		if (text_parse_uint(jobs[i]->native_id, INT64_MAX, &own) && own == id)
			return i;
	}
	return len;
}

/* Gives each job what the output says about it; returns how many lines were about jobs at all. */
static size_t take_lines(struct span text, const struct job *const *jobs, size_t len,
			 struct observation *ret)
{
	struct observation seen;
	size_t count = 0, i;
	uint64_t id;
	int kind;

	while ((kind = slurm_next_line(&text, &id, &seen)) >= 0) {
		if (kind == 0)
			continue;
		count++;
		i = find(jobs, len, id);
		if (i < len)
			ret[i] = seen;
	}
	return count;
}

static int ask_queue(const struct job *const *jobs, size_t len, struct observation *ret,
		     struct err *err)
{
	static const char *const argv[] = { "squeue",		"--noheader", "--me",
					    "--states=all",	"--array",    "--Format",
					    SLURM_QUEUE_FORMAT, NULL };
	cleanup(child_finish) struct child child = { 0 };

	if (run(argv, times_in_seconds, &child, err) < 0)
		return -1;
	if (take_lines(buf_span(&child.output), jobs, len, ret) == 0 && buf_len(&child.output) > 0)
		return err_set(err, ERR_PROTOCOL,
			       "squeue printed something that is not understood");
	return 0;
}

/* Jobs that left the queue are in the accounting database, where there is one. */
static void ask_accounting(const struct job *const *jobs, size_t len, struct observation *ret)
{
	cleanup(buf_finish) struct buf ids = BUF_INIT(SLURM_SCRIPT_MAX);
	cleanup(child_finish) struct child child = { 0 };
	const char *argv[] = { "sacct",		"--noheader", "--parsable2",
			       "--allocations", "--format",   SLURM_ACCOUNT_FORMAT,
			       "--jobs",	NULL,	      NULL };

	for (size_t i = 0; i < len; i++) {
		if (ret[i].native_state[0] == '\0' &&
		    !buf_printf(&ids, "%s%s", buf_len(&ids) ? "," : "", jobs[i]->native_id))
			break;
	}
	if (buf_len(&ids) == 0)
		return;
	argv[7] = buf_str(&ids);
	if (run(argv, times_in_seconds, &child, NULL) < 0)
		return; /* no accounting here: the status files decide */
	take_lines(buf_span(&child.output), jobs, len, ret);
}

/*
 * What the scheduler cannot tell: the end of a job that it forgot, and the signal of one that
 * ended.
 */
static void add_status(const struct job *job, struct observation *ret)
{
	struct observation left = { .state = JOB_UNKNOWN, .exit_code = JOB_NO_EXIT_CODE };

	if (ret->native_state[0] != '\0' && ret->state == JOB_RUNNING)
		jobdir_explain_hold(job, ret);
	if (ret->native_state[0] != '\0' && ret->state != JOB_FAILED)
		return;
	jobdir_observe(job, &left);
	if (ret->state == JOB_FAILED && left.state == JOB_FAILED) {
		ret->exit_code = left.exit_code;
		ret->signal = left.signal;
		if (left.reason[0] != '\0')
			jobdir_copy_text(ret->reason, sizeof(ret->reason), left.reason);
	} else if (ret->native_state[0] == '\0' && job_state_is_ended(left.state)) {
		*ret = left;
		if (job->cancel_requested)
			ret->state = JOB_CANCELLED;
	} else if (ret->native_state[0] == '\0') {
		jobdir_copy_text(ret->reason, sizeof(ret->reason),
				 left.reason[0] ? left.reason : "Slurm does not know it any more");
	}
}

static int observe(struct backend *backend, const struct job *const *jobs, size_t len,
		   struct observation *ret, struct err *err)
{
	(void)backend;
	if (ask_queue(jobs, len, ret, err) < 0)
		return -1;
	ask_accounting(jobs, len, ret);
	for (size_t i = 0; i < len; i++)
		add_status(jobs[i], &ret[i]);
	return 0;
}

static int cancel(struct backend *backend, const struct job *job, struct err *err)
{
	const char *argv[] = { "scancel", "--", job->native_id, NULL };
	cleanup(child_finish) struct child child = { 0 };
	struct err own;

	(void)backend;
	if (run(argv, NULL, &child, &own) == 0 || strcasestr(own.text, "already completing") ||
	    strcasestr(own.text, "invalid job id"))
		return 0;
	return err_set(err, own.kind, "%s", own.text);
}

/* The batch script becomes berth-init, or starts one a task in a step; see slurm_write_script(). */
static int release(struct backend *backend, const struct job *job, struct err *err)
{
	const char *one[] = { "scancel", SIGNAL_RELEASE, "--batch", "--", job->native_id, NULL };
	const char *many[] = { "scancel", SIGNAL_RELEASE, "--", job->native_id, NULL };
	cleanup(child_finish) struct child child = { 0 };

	(void)backend;
	return run(job->tasks > 1 ? many : one, NULL, &child, err);
}

static const struct backend_ops slurm_backend_ops = {
	.name = "slurm",
	.submit = submit,
	.observe = observe,
	.cancel = cancel,
	.release = release,
	.read_log = jobdir_read_log,
	.endpoint = jobdir_endpoint,
};

struct backend *slurm_backend_open(void)
{
	static struct backend backend = { .ops = &slurm_backend_ops };

	return &backend;
}
