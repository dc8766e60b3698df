/* SPDX-License-Identifier: MIT */
/* sbatch, before there is a script; see early.h. */
#include "early.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/backends/jobdir.h"
#include "controller/backends/slurm/command.h"
#include "controller/backends/slurm/files.h"
#include "controller/backends/slurm/slurm.h"
#include "controller/backends/slurm/submit.h"
#include "init/base/fs.h"
#include "init/base/log.h"
#include "init/base/text.h"

/* Of what sbatch says about a script without a byte. */
#define NO_SCRIPT "script is empty"

const char **slurm_submit_environment(const struct spec *spec)
{
	const char **env = new_array(const char *, spec->env.len + 1);

	for (size_t i = 0; i < spec->env.len; i++)
		env[i] = spec->env.items[i];
	return env;
}

void early_finish(struct early *early)
{
	cleanup(child_finish) struct child child = { 0 };
	struct err why;

	if (early->is_taken && child_end(early->running, &child, &why) < 0)
		log_debug("%s", why.text);
	running_stop(early->running);
	argv_finish(&early->argv);
	free(early->env);
	free(early->uid);
	*early = (struct early){ 0 };
}

/* Words that win over a line of the script, of a job that is to be called by its number. */
static bool is_named_elsewhere(const struct submission *submission)
{
	static const char name[] = "SBATCH_JOB_NAME";
	const struct spec *spec = submission->spec;
	bool is_named = submission->template || getenv(name);

	for (size_t i = 0; i < spec->env.len; i++)
		is_named = is_named || strncmp(spec->env.items[i], name, sizeof(name) - 1) == 0;
	return is_named && !spec->name && !spec->script;
}

static int begin(struct early *early, const struct submission *submission, struct err *err)
{
	struct child_plan plan = { .timeout_ms = SLURM_TIMEOUT_MS, .waits = true };
	cleanup_free char *path = slurm_script_path(submission->job);

	if (symlink(JOBDIR_NO_SCRIPT, path) < 0)
		return err_set_errno(err, errno, "create %s", path);
	slurm_add_options(&early->argv, submission);
	argv_add(&early->argv, path);
	early->env = slurm_submit_environment(submission->spec);
	plan.argv = argv_words(&early->argv);
	plan.env = early->env;
	return child_start(&plan, &early->running, err);
}

void slurm_prepare(struct backend *backend, const struct submission *submission)
{
	struct early *early = &slurm_of(backend)->early;
	struct err why;

	early_finish(early);
	if (is_named_elsewhere(submission))
		return;
	early->uid = str_dup(submission->job->uid);
	if (begin(early, submission, &why) == 0)
		return;
	/* The usual way says what is wrong. */
	log_debug("%s: %s", early->uid, why.text);
	early_finish(early);
}

/* A line after the first one, where sbatch looks for options. */
static bool add_name(struct buf *script, const struct submission *submission)
{
	cleanup_free char *name = slurm_job_name(submission), *rest = NULL;
	const char *text = buf_str(script), *line = strchr(text, '\n');
	size_t first = line ? (size_t)(line + 1 - text) : 0;

	if (!line || strncmp(text, "#!", 2) != 0)
		return false;
	rest = str_dup(line + 1);
	buf_truncate(script, first);
	return buf_printf(script, "#SBATCH --job-name=%s\n", name) &&
	       buf_append(script, rest, strlen(rest));
}

/* False: it is not one that can be handed over so. */
static bool write_script(const struct submission *submission, struct buf *ret)
{
	const struct spec *spec = submission->spec;

	return slurm_write_script(submission, ret, NULL) == 0 &&
	       (spec->name || spec->script || add_name(ret, submission));
}

static int end(struct early *early, uint64_t *ret_id, struct err *err)
{
	cleanup(child_finish) struct child child = { 0 };
	struct span printed;
	struct err own;

	early->is_taken = child_await_line(early->running, &printed) == 1 &&
			  slurm_parse_submitted(printed, ret_id);
	if (early->is_taken)
		return 1;
	if (slurm_follow(early->running, "sbatch", NULL, &child, &own) < 0)
		return strstr(own.text, NO_SCRIPT) ? 0 : err_set(err, own.kind, "%s", own.text);
	return err_set(err, ERR_PROTOCOL, "%s", slurm_no_id);
}

int early_submit(struct early *early, const struct submission *submission, uint64_t *ret_id,
		 struct err *err)
{
	cleanup_free char *path = slurm_script_path(submission->job);
	cleanup(buf_finish) struct buf script = BUF_INIT(CHILD_PIECE_MAX);
	int result;

	if (!early->uid || strcmp(early->uid, submission->job->uid) != 0)
		return 0;
	if (!write_script(submission, &script)) {
		early_finish(early);
		return 0;
	}
	if (fs_write_file_unsynced(path, buf_span(&script), 0700, err) < 0)
		return -1;
	child_give(early->running, buf_span(&script));
	result = end(early, ret_id, err);
	if (result <= 0)
		early_finish(early);
	return result;
}
