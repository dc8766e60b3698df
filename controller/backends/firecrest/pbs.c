/* SPDX-License-Identifier: MIT */
/* Submissions to PBS; see pbs.h. */
#include "pbs.h"

#include <inttypes.h>
#include <string.h>

#include "controller/backends/firecrest/submit.h"
#include "controller/backends/slurm/submit.h"
#include "init/base/fs.h"
#include "init/base/text.h"

#define MEGABYTE (UINT64_C(1) << 20)

/* What becomes a #PBS line, or a member of the call. */
static const char *const known[] = { "nodes",	  "cpus-per-task", "mem",	 "gpus",
				     "time",	  "dependency",	   "requeue",	 "no-requeue",
				     "partition", "account",	   "reservation" };

static bool is_known(const char *sbatch)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(known[i], sbatch) == 0)
			return true;
	}
	return false;
}

/* Before any command of a user's script. */
static bool has_lines_for_slurm(const char *script)
{
	while (script && (*script == '#' || *script == '\n')) {
		if (strncmp(script, "#SBATCH", 7) == 0)
			return true;
		script += strcspn(script, "\n");
		script += *script == '\n';
	}
	return false;
}

int pbs_check(const struct spec *spec, struct err *err)
{
	if (spec->array)
		return err_set(
			err, ERR_UNSUPPORTED,
			"--array: FirecREST has no name for an array of PBS: submit the jobs "
			"one by one");
	if (spec->nodes > 1 || spec_ranks(spec) > 1)
		return err_set(
			err, ERR_UNSUPPORTED,
			"--nodes, --tasks: a job of PBS has one rank here: start more of them "
			"in it, as with mpiexec");
	if (has_lines_for_slurm(spec->script))
		return err_set(err, ERR_UNSUPPORTED,
			       "#SBATCH lines: the scheduler is PBS: write them as #PBS lines");
	for (const struct spec_option *option = spec_options; option->name; option++) {
		if (option->sbatch && spec_has(spec, option) && !is_known(option->sbatch))
			return err_set(err, ERR_UNSUPPORTED,
				       "--%s: not for PBS: leave it out, or write a script with "
				       "#PBS lines",
				       option->name);
	}
	return 0;
}

/* "[TYPE:]COUNT": PBS counts GPUs, and types are a site's own resources. */
static bool add_gpus(struct buf *b, const char *gpus)
{
	const char *colon = gpus ? strrchr(gpus, ':') : NULL;

	return !gpus || buf_printf(b, ":ngpus=%s", colon ? colon + 1 : gpus);
}

static bool add_lines(const struct spec *spec, struct buf *b)
{
	uint64_t seconds = spec->time_ns / NSEC_PER_SEC;
	bool ok = buf_printf(b, "#PBS -l select=1:ncpus=%" PRIu64, MAX(spec->cpus, UINT64_C(1)));

	if (spec->memory)
		ok = ok &&
		     buf_printf(b, ":mem=%" PRIu64 "mb", (spec->memory + MEGABYTE - 1) / MEGABYTE);
	ok = ok && add_gpus(b, spec->gpus) && buf_append_u8(b, '\n');
	if (seconds)
		ok = ok &&
		     buf_printf(b, "#PBS -l walltime=%02" PRIu64 ":%02u:%02u\n", seconds / 3600,
				(unsigned int)(seconds / 60 % 60), (unsigned int)(seconds % 60));
	if (spec->dependency)
		ok = ok && buf_printf(b, "#PBS -W depend=%s\n", spec->dependency);
	if (spec->requeue || spec->no_requeue)
		ok = ok && buf_printf(b, "#PBS -r %c\n", spec->requeue ? 'y' : 'n');
	return ok;
}

/* Those of a user's script, before any command, as PBS looks for them. */
static bool add_own_lines(const char *script, struct buf *b)
{
	bool ok = true;

	while (ok && script && (*script == '#' || *script == '\n')) {
		size_t len = strcspn(script, "\n");

		if (strncmp(script, "#PBS", 4) == 0)
			ok = buf_append(b, script, len) && buf_append_u8(b, '\n');
		script += len + (script[len] == '\n');
	}
	return ok;
}

static bool add_file(struct buf *b, const struct submission *submission, const char *sign,
		     const char *chosen, const char *name)
{
	cleanup_free char *own = fs_join(submission->job->directory, name);
	const char *dir = chosen && chosen[0] != '/' ? submission->spec->workdir : NULL;
	cleanup_free char *path = dir ? fs_join(dir, chosen) : str_dup(chosen ? chosen : own);

	return buf_printf(b, "exec %s", sign) && text_append_shell(b, path) &&
	       buf_append_u8(b, '\n');
}

static bool add_files(struct buf *b, const struct submission *submission)
{
	const struct spec *spec = submission->spec;

	if (!add_file(b, submission, ">", spec->output, "stdout"))
		return false;
	/* As with Slurm: both go where the one goes that was named. */
	return spec->output && !spec->error ? buf_printf(b, "exec 2>&1\n")
					    : add_file(b, submission, "2>", spec->error, "stderr");
}

int pbs_write_script(const struct submission *submission, struct buf *ret, struct err *err)
{
	cleanup(buf_finish) struct buf plain = BUF_INIT(SLURM_SCRIPT_MAX);
	/* Lines of the user's script come behind ours. */
	struct spec own = *submission->spec;
	struct submission without = *submission;
	struct span rest;
	bool ok;

	own.script_lines = NULL;
	without.spec = &own;
	if (pbs_check(&own, err) < 0 || slurm_write_script(&without, &plain, err) < 0)
		return -1;
	rest = buf_span(&plain);
	ok = buf_append_span(ret, span_cut(&rest, firecrest_head_len(rest))) &&
	     add_lines(submission->spec, ret) && add_own_lines(submission->spec->script, ret) &&
	     add_files(ret, submission) && firecrest_add_environment(submission, ret) &&
	     buf_append_span(ret, rest);
	return ok ? 0
		  : err_set(err, ERR_LIMIT, "the script is longer than %d bytes", SLURM_SCRIPT_MAX);
}

static void set(json_t *job, const char *member, const char *value)
{
	if (value)
		json_object_set_new(job, member, json_string(value));
}

int pbs_make_submission(const struct submission *submission, const char *script, json_t **ret,
			struct err *err)
{
	const struct spec *spec = submission->spec;
	cleanup(json_release) json_t *body = json_object();
	cleanup_free char *number = str_printf("job-%" PRIu64, submission->job->id);
	json_t *job = json_object();

	json_object_set_new(body, "job", job);
	set(job, "name", spec->name ? spec->name : number);
	set(job, "workingDirectory", submission->job->directory);
	set(job, "standardOutput", "/dev/null");
	set(job, "standardError", "/dev/null");
	set(job, "partition", spec->partition);
	set(job, "account", spec->account);
	set(job, "reservation", spec->reservation);
	set(job, "script", script);
	if (!json_object_get(job, "script") || !json_object_get(job, "workingDirectory"))
		return err_set(err, ERR_INVALID, "the script is not text in UTF-8");
	*ret = take_ptr(body);
	return 0;
}
