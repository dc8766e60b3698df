/* SPDX-License-Identifier: MIT */
/* Slurm's texts; see slurm_text.h. */
#include "slurm_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controller/backends/slurm_list.h"
#include "init/base/text.h"

bool slurm_parse_submitted(struct span text, uint64_t *ret_id)
{
	char line[SLURM_LINE_MAX];

	if (!slurm_cut_line(&text, line))
		return false;
	line[strcspn(line, ";")] = '\0';
	return text_parse_uint(line, INT64_MAX, ret_id) && *ret_id > 0;
}

/* A file name for --output and --error, where '%' begins a replacement and '\' forbids them all. */
static void add_file_option(struct argv *argv, const char *option, const char *dir,
			    const char *name)
{
	cleanup(buf_finish) struct buf path = BUF_INIT(SLURM_SCRIPT_MAX);

	for (const char *p = dir; *p; p++) {
		if (!buf_append_u8(&path, (uint8_t)*p) ||
		    (*p == '%' && !buf_append_u8(&path, (uint8_t)*p)))
			break;
	}
	argv_addf(argv, "%s=%s/%s", option, buf_str(&path), name);
}

/* Slurm's limits are in minutes; a limit that is not a whole number of them is rounded up. */
static uint64_t minutes(uint64_t ns)
{
	const uint64_t minute = 60 * NSEC_PER_SEC;

	return ns / minute + (ns % minute != 0);
}

void slurm_add_options(struct argv *argv, const struct submission *submission)
{
	const struct spec *spec = submission->spec;
	const struct job *job = submission->job;

	argv_add_words(argv, "sbatch", "--parsable", "--export=ALL", "--input=/dev/null", NULL);
	if (spec->name)
		argv_addf(argv, "--job-name=%s", spec->name);
	else
		argv_addf(argv, "--job-name=job-%" PRIu64, job->id);
	argv_addf(argv, "--chdir=%s", spec->workdir);
	add_file_option(argv, "--output", job->directory, "stdout");
	add_file_option(argv, "--error", job->directory, "stderr");
	if (spec->nodes)
		argv_addf(argv, "--nodes=%" PRIu64, spec->nodes);
	argv_addf(argv, "--ntasks=%" PRIu64, spec_ranks(spec));
	if (spec->cpus)
		argv_addf(argv, "--cpus-per-task=%" PRIu64, spec->cpus);
	if (spec->memory)
		argv_addf(argv, "--mem=%" PRIu64 "K", MAX(spec->memory >> 10, UINT64_C(1)));
	if (spec->time_ns)
		argv_addf(argv, "--time=%" PRIu64, minutes(spec->time_ns));
	if (spec->partition)
		argv_addf(argv, "--partition=%s", spec->partition);
	if (spec->account)
		argv_addf(argv, "--account=%s", spec->account);
}

static bool add_word(struct buf *b, const char *word)
{
	return buf_append_u8(b, ' ') && text_append_shell(b, word);
}

static bool add_command(const struct submission *submission, struct buf *b)
{
	cleanup_free char *init = str_printf("%s/berth-init", submission->bundle);
	bool ok = add_word(b, init) && add_word(b, "--dir") &&
		  add_word(b, submission->job->directory);

	if (submission->spec->hold)
		ok = ok && add_word(b, "--hold") && add_word(b, submission->spec->hold);
	ok = ok && add_word(b, "--");

	for (const char *const *word = submission->spec->command; ok && *word; word++)
		ok = add_word(b, *word);
	return ok;
}

int slurm_write_script(const struct submission *submission, struct buf *ret, struct err *err)
{
	const struct spec *spec = submission->spec;
	bool ok = buf_printf(ret, "#!/bin/sh\n# What berth submitted for job-%" PRIu64 ".\nexec",
			     submission->job->id);

	if (spec_ranks(spec) > 1) {
		/* Since 22.05 srun does not take the number of CPUs from the batch job. */
		ok = ok && buf_printf(ret, " srun --ntasks=%" PRIu64, spec_ranks(spec)) &&
		     (!spec->cpus || buf_printf(ret, " --cpus-per-task=%" PRIu64, spec->cpus));
	}
	ok = ok && add_command(submission, ret) && buf_append_u8(ret, '\n');
	if (!ok)
		return err_set(err, ERR_LIMIT, "the command is longer than %d bytes",
			       SLURM_SCRIPT_MAX);
	return 0;
}
