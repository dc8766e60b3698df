/* SPDX-License-Identifier: MIT */
/* Acts on jobs of Slurm; see act.h. */
#include "act.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "controller/backends/slurm/command.h"
#include "controller/backends/slurm/submit.h"
#include "init/base/indices.h"
#include "init/base/signo.h"
#include "init/base/text.h"

#define JOB_LIST_MAX (128 * 1024) /* the kernel's limit of one word */
/*
 * While several tasks of an array wait, slurmctld tells those that are sent a signal, and then says
 * that it cannot: scancel tries again after five seconds, and nine times in all, so that each is
 * told ten times. It does so with this many at once, and is stopped before it begins anew. (To name
 * their steps would not need that, but tells each process twice.)
 */
#define TASKS_AT_ONCE 10
#define BEFORE_AGAIN_S "4"
#define TOLD_ALREADY "transitional state"

static bool is_part(const struct job *job)
{
	return job->only && job->only[0] != '\0';
}

char *slurm_id(const struct job *job)
{
	if (!is_part(job))
		return str_dup(job->native_id);
	if (job->only[strspn(job->only, "0123456789")] == '\0')
		return str_printf("%s_%s", job->native_id, job->only);
	return str_printf("%s_[%s]", job->native_id, job->only);
}

static void add_task_ids(struct argv *argv, const struct job *job)
{
	for (uint64_t task = 0; indices_next(job->only, task, &task); task++)
		argv_addf(argv, "%s_%" PRIu64, job->native_id, task);
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

static void add_signal_command(struct argv *argv, int signal, const struct job *const *jobs,
			       size_t len)
{
	if (is_part(jobs[0]))
		argv_add_words(argv, "timeout", BEFORE_AGAIN_S, "scancel", "--verbose", NULL);
	else
		argv_add(argv, "scancel");
	add_signal(argv, signal);
	/* Several ranks are a step that srun starts. */
	if (jobs[0]->tasks <= 1)
		argv_add(argv, "--batch");
	if (!is_part(jobs[0])) {
		add_ids(argv, jobs, len);
		return;
	}
	argv_add(argv, "--");
	add_task_ids(argv, jobs[0]);
}

void slurm_add_act(struct argv *argv, const struct act *act, const struct job *const *jobs,
		   size_t len)
{
	if (act->kind == ACT_SIGNAL) {
		add_signal_command(argv, act->signal, jobs, len);
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

static bool is_for_tasks(const struct act *act, const struct job *job)
{
	return act->kind == ACT_SIGNAL && is_part(job);
}

/* Among what it tells because it was asked to, what went wrong; it is said by who runs it. */
static void explain(struct child *child, struct err *err)
{
	static const char mark[] = "error: ";
	const char *at = strstr(buf_str(&child->errors), mark);
	cleanup_free char *why = NULL;

	if (!at)
		return;
	at += sizeof(mark) - 1;
	why = str_dup_len(at, strcspn(at, "\n"));
	slurm_explain(why, err);
}

static int act_once(const struct backend *backend, const struct act *act,
		    const struct job *const *jobs, size_t len, struct err *err)
{
	cleanup(argv_finish) struct argv argv = { 0 };
	cleanup(child_finish) struct child child = { 0 };
	bool is_verbose = is_for_tasks(act, jobs[0]);
	struct err own;

	slurm_add_act(&argv, act, jobs, len);
	if (slurm_run(backend, argv_words(&argv), NULL, &child, &own) == 0 ||
	    (is_verbose && strstr(buf_str(&child.errors), TOLD_ALREADY)))
		return 0;
	if (is_verbose)
		explain(&child, &own);
	name_job(jobs, len, &own);
	return err_set(err, own.kind, "%s", own.text);
}

/* As many tasks as are told at once, from this one on; NULL: there are no more. free() it. */
static char *next_tasks(const struct job *job, uint64_t *from)
{
	cleanup(buf_finish) struct buf tasks = BUF_INIT(INDICES_TEXT_MAX);

	for (size_t i = 0; i < TASKS_AT_ONCE && indices_next(job->only, *from, from); i++) {
		if (!buf_printf(&tasks, "%s%" PRIu64, i > 0 ? "," : "", (*from)++))
			break;
	}
	return buf_len(&tasks) > 0 ? buf_take_str(&tasks) : NULL;
}

static int signal_tasks(const struct backend *backend, const struct act *act, const struct job *job,
			struct err *err)
{
	const struct job *part;
	uint64_t from = 0;
	int result = 0;
	char *tasks;

	while ((tasks = next_tasks(job, &from))) {
		struct job some = *job;

		some.only = tasks;
		part = &some;
		if (act_once(backend, act, &part, 1, result == 0 ? err : NULL) < 0)
			result = -1;
		free(tasks);
	}
	return result;
}

/* Jobs with one task and those with more; for anything but a signal they are the same. */
static int act_on_kind(const struct backend *backend, const struct act *act,
		       const struct job *const *jobs, size_t len, bool many, struct err *err)
{
	cleanup_free const struct job **chosen = new_array(const struct job *, len);
	size_t chosen_len = 0;
	int result = 0;

	for (size_t i = 0; i < len; i++) {
		if (!is_for_tasks(act, jobs[i]) &&
		    (act->kind != ACT_SIGNAL || (jobs[i]->tasks > 1) == many))
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
	for (size_t i = 0; i < len; i++) {
		if (is_for_tasks(act, jobs[i]) &&
		    signal_tasks(backend, act, jobs[i], result == 0 ? err : NULL) < 0)
			result = -1;
	}
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
