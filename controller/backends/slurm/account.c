/* SPDX-License-Identifier: MIT */
/* Attempts, tasks and what they use; see account.h. */
#include "account.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "controller/backends/jobdir.h"
#include "controller/backends/slurm/act.h"
#include "controller/backends/slurm/command.h"
#include "init/base/indices.h"
#include "controller/model/job_slurm.h"
#include "init/base/text.h"

#define DAYS_MAX 100000
#define SECONDS_MAX 1e9

enum { RUN_ID, RUN_STATE, RUN_EXIT, RUN_START, RUN_END, RUN_NODES, RUN_RSS, RUN_CPU, RUN_REASON };
enum { STAT_ID, STAT_RSS, STAT_CPU, STAT_TASKS, STAT_READ, STAT_WRITTEN, STAT_FIELDS };

uint64_t slurm_parse_duration(const char *text)
{
	char *end;
	double days = 0, total = 0;
	const char *dash = strchr(text, '-');

	if (dash && dash != text) {
		days = strtod(text, &end);
		if (end != dash || !(days >= 0 && days <= DAYS_MAX))
			return 0;
		text = dash + 1;
	}
	for (int parts = 0; parts < 3; parts++) {
		double part = strspn(text, "0123456789") > 0 ? strtod(text, &end) : -1;

		if (!(part >= 0 && part <= SECONDS_MAX))
			return 0;
		total = total * 60 + part;
		if (*end == '\0')
			return (uint64_t)((days * 86400 + total) * 1e3) * NSEC_PER_MSEC;
		if (*end != ':')
			return 0;
		text = end + 1;
	}
	return 0;
}

uint64_t slurm_parse_size(const char *text)
{
	static const char units[] = "KMGTP";
	double number = strspn(text, "0123456789") > 0 ? strtod(text, NULL) : 0;
	size_t digits = strspn(text, "0123456789.");
	const char *unit = text[digits] ? strchr(units, text[digits]) : NULL;

	if (text[digits] && (!unit || text[digits + 1]))
		return 0;
	for (ptrdiff_t i = unit ? unit - units + 1 : 0; i > 0; i--)
		number *= 1024;
	return number >= 0 && number < 1e18 ? (uint64_t)number : 0;
}

static uint64_t parse_time(const char *text)
{
	uint64_t seconds;

	return text_parse_uint(text, INT64_MAX / NSEC_PER_SEC, &seconds) ? seconds * NSEC_PER_SEC
									 : 0;
}

static void set_safe(char **member, const char *text)
{
	char safe[BACKEND_REASON_MAX];

	if (strcmp(text, "None") == 0 || strcmp(text, "None assigned") == 0)
		return;
	jobdir_copy_text(safe, sizeof(safe), text);
	run_set_text(member, safe);
}

static void set_exit(struct run *run, const char *text)
{
	const char *colon = strchr(text, ':');
	cleanup_free char *code_text = str_dup_len(text, strcspn(text, ":"));
	uint64_t code, signal;

	if (!job_state_is_ended(run->state) || !colon || !text_parse_uint(code_text, 255, &code) ||
	    !text_parse_uint(colon + 1, 127, &signal))
		return;
	if (signal == SLURM_SIGNAL_OOM)
		signal = SIGKILL;
	run->signal = (int)signal;
	run->exit_code = signal == 0 && (code != 0 || run->state == JOB_SUCCEEDED)
				 ? (int)code
				 : JOB_NO_EXIT_CODE;
}

/* "7" or "7_3" of this job: 1, with the task; a step of it, "7_3.batch": 2; else 0. */
static int classify(const char *text, const char *id, uint64_t *ret_task)
{
	size_t len = strlen(id);
	cleanup_free char *task = NULL;
	const char *rest = text + len;

	if (strncmp(text, id, len) != 0)
		return 0;
	*ret_task = 0;
	if (*rest == '_') {
		task = str_dup_len(rest + 1, strspn(rest + 1, "0123456789"));
		if (!text_parse_uint(task, INDICES_MAX, ret_task))
			return 0; /* "7_[4-9]": they have not begun */
		rest += 1 + strlen(task);
	}
	if (*rest == '.')
		return 2;
	return *rest == '\0';
}

static uint64_t next_attempt(const struct run_list *runs, uint64_t task)
{
	uint64_t attempts = 0;

	for (size_t i = runs->len; i > 0; i--) {
		if (runs->items[i - 1].task == task) {
			attempts = runs->items[i - 1].attempt;
			break;
		}
	}
	return attempts + 1;
}

static void add_run(char **fields, uint64_t task, struct run_list *ret)
{
	uint64_t attempt = next_attempt(ret, task);
	struct run *run = run_list_add(ret, task);

	run->attempt = attempt;
	run->state = job_slurm_state(fields[RUN_STATE]);
	set_safe(&run->native_state, fields[RUN_STATE]);
	set_safe(&run->reason, fields[RUN_REASON]);
	set_safe(&run->node_list, fields[RUN_NODES]);
	set_exit(run, fields[RUN_EXIT]);
	run->started_ns = parse_time(fields[RUN_START]);
	run->ended_ns = parse_time(fields[RUN_END]);
	run->cpu_ns = slurm_parse_duration(fields[RUN_CPU]);
	/* Before it runs, its start is a guess, and there has been no attempt. */
	if (run->state == JOB_QUEUED && !run->ended_ns) {
		run->started_ns = 0;
		run->attempt--;
	} else if (run->state == JOB_QUEUED) {
		run->state = JOB_UNKNOWN; /* this attempt is over: another was made of the job */
	}
}

void slurm_parse_runs(struct span text, const char *id, struct run_list *ret)
{
	char *fields[SLURM_RUN_FIELDS];
	char *line;

	for (; (line = slurm_cut_line(&text)); free(line)) {
		uint64_t task;
		int kind;

		if (!slurm_split(line, fields, SLURM_RUN_FIELDS))
			continue;
		kind = classify(fields[RUN_ID], id, &task);
		if (kind == 1)
			add_run(fields, task, ret);
		else if (kind == 2 && ret->len > 0 && ret->items[ret->len - 1].task == task)
			ret->items[ret->len - 1].max_rss = MAX(ret->items[ret->len - 1].max_rss,
							       slurm_parse_size(fields[RUN_RSS]));
	}
}

int slurm_list_runs(struct backend *backend, const struct job *job, struct run_list *ret,
		    struct err *err)
{
	const char *const argv[] = { "sacct",	     "--noheader",   "--parsable2",
				     "--duplicates", "--format",     SLURM_RUNS_FORMAT,
				     "--jobs",	     job->native_id, NULL };
	cleanup(child_finish) struct child child = { 0 };

	if (slurm_run(backend, argv, slurm_list_environment, &child, err) < 0)
		return -1;
	slurm_parse_runs(buf_span(&child.output), job->native_id, ret);
	return 0;
}

bool slurm_parse_stat(struct span text, struct use *ret)
{
	struct use use = { 0 };
	char *fields[STAT_FIELDS];
	bool found = false;
	char *line;

	for (; (line = slurm_cut_line(&text)); free(line)) {
		uint64_t tasks = 0;

		if (!slurm_split(line, fields, STAT_FIELDS) ||
		    !text_parse_uint(fields[STAT_TASKS], INT32_MAX, &tasks))
			continue;
		found = true;
		use.tasks += tasks;
		use.max_rss = MAX(use.max_rss, slurm_parse_size(fields[STAT_RSS]));
		use.cpu_ns += slurm_parse_duration(fields[STAT_CPU]) * MIN(tasks, UINT64_C(100000));
		use.read += slurm_parse_size(fields[STAT_READ]);
		use.written += slurm_parse_size(fields[STAT_WRITTEN]);
	}
	*ret = use;
	return found;
}

int slurm_stat(struct backend *backend, const struct job *job, struct use *ret, struct err *err)
{
	cleanup_free char *id = slurm_id(job);
	const char *const argv[] = { "sstat",	   "--noheader", "--parsable2",
				     "--allsteps", "--format",	 SLURM_STAT_FORMAT,
				     "--jobs",	   id,		 NULL };
	cleanup(child_finish) struct child child = { 0 };

	if (slurm_run(backend, argv, slurm_list_environment, &child, err) < 0)
		return -1;
	if (!slurm_parse_stat(buf_span(&child.output), ret))
		return err_set(err, ERR_NOT_FOUND,
			       "Slurm measures nothing of it: does the site gather accounting?");
	return 0;
}
