/* SPDX-License-Identifier: MIT */
/* Acts on jobs of Slurm; see act.h. */
#include "act.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "controller/backends/slurm/command.h"
#include "controller/backends/slurm/submit.h"
#include "init/base/signo.h"
#include "init/base/text.h"

#define JOB_LIST_MAX (128 * 1024) /* the kernel's limit of one word */

char *slurm_id(const struct job *job)
{
	if (!job->only || job->only[0] == '\0')
		return str_dup(job->native_id);
	if (job->only[strspn(job->only, "0123456789")] == '\0')
		return str_printf("%s_%s", job->native_id, job->only);
	return str_printf("%s_[%s]", job->native_id, job->only);
}

static void add_ids(struct argv *argv, const struct job *const *jobs, size_t len)
{
	argv_add(argv, "--");
	for (size_t i = 0; i < len; i++) {
		cleanup_free char *id = slurm_id(jobs[i]);

		argv_add(argv, id);
	}
}

/* scontrol takes several jobs as one word with commas. */
static void add_id_list(struct argv *argv, const char *prefix, const struct job *const *jobs,
			size_t len)
{
	cleanup(buf_finish) struct buf ids = BUF_INIT(JOB_LIST_MAX);

	for (size_t i = 0; i < len; i++) {
		cleanup_free char *id = slurm_id(jobs[i]);

		if (!buf_printf(&ids, "%s%s", i > 0 ? "," : "", id))
			break;
	}
	argv_addf(argv, "%s%s", prefix, buf_str(&ids));
}

/* By name where scancel knows it: this machine and the nodes may number signals differently. */
static void add_signal(struct argv *argv, int signal)
{
	static const int named[] = {
		SIGHUP,	 SIGINT,  SIGQUIT, SIGABRT, SIGKILL, SIGALRM, SIGTERM,
		SIGUSR1, SIGUSR2, SIGURG,  SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU
	};

	for (size_t i = 0; i < ARRAY_LEN(named); i++) {
		if (named[i] == signal) {
			argv_addf(argv, "--signal=%s", signo_word(signal));
			return;
		}
	}
	argv_addf(argv, "--signal=%d", signal);
}

static void add_begin(struct argv *argv, const char *begin)
{
	uint64_t ns;

	if (text_parse_duration(begin, &ns))
		argv_addf(argv, "StartTime=now+%" PRIu64, ns / NSEC_PER_SEC);
	else
		argv_addf(argv, "StartTime=%s", begin);
}

static void add_word(struct argv *argv, const char *key, const char *value)
{
	if (value)
		argv_addf(argv, "%s=%s", key, value);
}

static void add_change(struct argv *argv, const struct change *change)
{
	if (change->time_ns)
		argv_addf(argv, "TimeLimit=%" PRIu64, slurm_minutes(change->time_ns));
	if (change->begin)
		add_begin(argv, change->begin);
	add_word(argv, "Partition", change->partition);
	add_word(argv, "Account", change->account);
	add_word(argv, "QOS", change->qos);
	add_word(argv, "Priority", change->priority);
	add_word(argv, "Nice", change->nice);
}

void slurm_add_act(struct argv *argv, const struct act *act, const struct job *const *jobs,
		   size_t len)
{
	if (act->kind == ACT_SIGNAL) {
		argv_add(argv, "scancel");
		add_signal(argv, act->signal);
		/* Several ranks are a step that srun starts. */
		if (jobs[0]->tasks <= 1)
			argv_add(argv, "--batch");
		add_ids(argv, jobs, len);
		return;
	}
	argv_add_words(argv, "scontrol", act_word(act->kind), NULL);
	add_id_list(argv, act->kind == ACT_UPDATE ? "JobId=" : "", jobs, len);
	if (act->kind == ACT_UPDATE)
		add_change(argv, &act->change);
}

/* "... for job 42" in Slurm's words becomes "job-7: ..." in ours. */
static void name_job(const struct job *const *jobs, size_t len, struct err *err)
{
	static const char for_job[] = " for job ";
	char *at = strstr(err->text, for_job), *id = at ? at + strlen(for_job) : NULL;
	size_t id_len = id ? strcspn(id, ": ") : 0;

	for (size_t i = 0; i < len && id_len > 0; i++) {
		if (strlen(jobs[i]->native_id) != id_len ||
		    memcmp(jobs[i]->native_id, id, id_len) != 0)
			continue;
		memmove(at, id + id_len, strlen(id + id_len) + 1);
		err_wrap(err, "job-%" PRIu64, jobs[i]->id);
		return;
	}
}

static int act_once(const struct backend *backend, const struct act *act,
		    const struct job *const *jobs, size_t len, struct err *err)
{
	cleanup(argv_finish) struct argv argv = { 0 };
	cleanup(child_finish) struct child child = { 0 };

	slurm_add_act(&argv, act, jobs, len);
	if (slurm_run(backend, argv_words(&argv), NULL, &child, err) == 0)
		return 0;
	if (err)
		name_job(jobs, len, err);
	return -1;
}

/* Jobs with one task and those with more; for anything but a signal they are the same. */
static int act_on_kind(const struct backend *backend, const struct act *act,
		       const struct job *const *jobs, size_t len, bool many, struct err *err)
{
	cleanup_free const struct job **chosen = new_array(const struct job *, len);
	size_t chosen_len = 0;
	int result = 0;

	for (size_t i = 0; i < len; i++) {
		if (act->kind != ACT_SIGNAL || (jobs[i]->tasks > 1) == many)
			chosen[chosen_len++] = jobs[i];
	}
	for (size_t at = 0; at < chosen_len; at += SLURM_ACT_JOBS_MAX) {
		if (act_once(backend, act, chosen + at,
			     MIN(chosen_len - at, (size_t)SLURM_ACT_JOBS_MAX),
			     result == 0 ? err : NULL) < 0)
			result = -1;
	}
	return result;
}

int slurm_act(struct backend *backend, const struct act *act, const struct job *const *jobs,
	      size_t len, struct err *err)
{
	int result = act_on_kind(backend, act, jobs, len, false, err);

	if (act->kind == ACT_SIGNAL &&
	    act_on_kind(backend, act, jobs, len, true, result == 0 ? err : NULL))
		result = -1;
	return result;
}

static int cancel_some(const struct backend *backend, const struct job *const *jobs, size_t len,
		       struct err *err)
{
	cleanup(argv_finish) struct argv argv = { 0 };
	cleanup(child_finish) struct child child = { 0 };
	struct err own;

	argv_add(&argv, "scancel");
	add_ids(&argv, jobs, len);
	if (slurm_run(backend, argv_words(&argv), NULL, &child, &own) == 0 ||
	    strcasestr(own.text, "already completing") || strcasestr(own.text, "invalid job id"))
		return 0;
	name_job(jobs, len, &own);
	return err_set(err, own.kind, "%s", own.text);
}

int slurm_cancel(struct backend *backend, const struct job *const *jobs, size_t len,
		 struct err *err)
{
	int result = 0;

	for (size_t at = 0; at < len; at += SLURM_ACT_JOBS_MAX) {
		if (cancel_some(backend, jobs + at, MIN(len - at, (size_t)SLURM_ACT_JOBS_MAX),
				result == 0 ? err : NULL) < 0)
			result = -1;
	}
	return result;
}

int slurm_release(struct backend *backend, const struct job *job, struct err *err)
{
	const struct act act = { .kind = ACT_SIGNAL, .signal = SIGURG };

	return slurm_act(backend, &act, &job, 1, err);
}
