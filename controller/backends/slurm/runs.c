/* SPDX-License-Identifier: MIT */
/* Tasks of arrays; see runs.h. */
#include "runs.h"

#include <string.h>

#include "controller/backends/jobdir.h"
#include "init/base/indices.h"

static void set_text(char **member, const char *text, bool *changed)
{
	if (strcmp(*member, text) == 0)
		return;
	run_set_text(member, text);
	*changed = true;
}

#define SET(run, member, value)                    \
	do {                                       \
		if ((run)->member != (value)) {    \
			(run)->member = (value);   \
			(run)->has_changed = true; \
		}                                  \
	} while (0)

void slurm_runs_take(struct run_list *runs, const char *tasks, const struct observation *seen)
{
	struct run *one;
	uint64_t task;

	/*
	 * One task is the most frequent line by far: of a thousand that run, there are a thousand.
	 */
	if (tasks[strspn(tasks, "0123456789")] == '\0') {
		one = indices_next(tasks, 0, &task) ? run_list_find(runs, task) : NULL;
		if (one)
			observation_to_run(seen, one);
		return;
	}
	for (size_t i = 0; i < runs->len; i++) {
		if (indices_have(tasks, runs->items[i].task))
			observation_to_run(seen, &runs->items[i]);
	}
}

bool slurm_runs_miss_any(const struct run_list *runs)
{
	for (size_t i = 0; i < runs->len; i++) {
		if (!runs->items[i].is_known && !job_state_is_ended(runs->items[i].state))
			return true;
	}
	return false;
}

/* Ended just now, having begun. */
static bool has_new_end(const struct run *run)
{
	return run->is_known && job_state_is_ended(run->state) && run->started_ns;
}

bool slurm_runs_want_status(const struct run_list *runs)
{
	for (size_t i = 0; i < runs->len; i++) {
		if (has_new_end(&runs->items[i]))
			return true;
	}
	return slurm_runs_miss_any(runs);
}

/* Ended just now: what it used is in its status file, and how it failed more exactly. */
static void add_end(struct site *site, const struct job *job, struct run *run)
{
	struct run left = { .task = run->task, .reason = str_dup("") };

	if (jobdir_observe_run(site, job, &left)) {
		SET(run, max_rss, MAX(run->max_rss, left.max_rss));
		SET(run, cpu_ns, MAX(run->cpu_ns, left.cpu_ns));
		if (run->state == JOB_FAILED && left.state == JOB_FAILED) {
			SET(run, exit_code, left.exit_code);
			SET(run, signal, left.signal);
			if (left.reason[0] != '\0')
				set_text(&run->reason, left.reason, &run->has_changed);
		}
	}
	run_finish(&left);
}

static void add_forgotten(struct site *site, const struct job *job, struct run *run)
{
	struct run left = { .task = run->task, .reason = str_dup("") };
	const char *why = "Slurm does not know it any more";

	if (jobdir_observe_run(site, job, &left) && job_state_is_ended(left.state)) {
		why = left.reason;
		SET(run, state, job->cancel_requested ? JOB_CANCELLED : left.state);
		SET(run, started_ns, left.started_ns);
		SET(run, ended_ns, left.ended_ns);
		SET(run, exit_code, left.exit_code);
		SET(run, signal, left.signal);
		SET(run, max_rss, left.max_rss);
		SET(run, cpu_ns, left.cpu_ns);
		SET(run, attempt, MAX(run->attempt, UINT64_C(1)));
	} else {
		SET(run, state, JOB_UNKNOWN);
	}
	set_text(&run->reason, why, &run->has_changed);
	run_finish(&left);
}

void slurm_runs_add_status(struct site *site, const struct job *job, struct run_list *runs)
{
	for (size_t i = 0; i < runs->len; i++) {
		struct run *run = &runs->items[i];

		if (has_new_end(run))
			add_end(site, job, run);
		else if (!run->is_known && !job_state_is_ended(run->state))
			add_forgotten(site, job, run);
	}
}
