/* SPDX-License-Identifier: MIT */
/* Slurm's texts; see slurm_text.h. */
#include "slurm_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controller/backends/jobdir.h"
#include "init/base/text.h"

#define FIELDS 6
#define LINE_MAX_LEN 1024

/* Slurm's job states (squeue(1), sacct(1)), and what they are to us. */
static const struct {
	const char *word;
	enum job_state state;
} states[] = {
	{ "PENDING", JOB_QUEUED },	 { "REQUEUED", JOB_QUEUED },
	{ "REQUEUE_FED", JOB_QUEUED },	 { "REQUEUE_HOLD", JOB_QUEUED },
	{ "RESV_DEL_HOLD", JOB_QUEUED }, { "SPECIAL_EXIT", JOB_QUEUED },
	{ "CONFIGURING", JOB_STARTING }, { "POWER_UP_NODE", JOB_STARTING },
	{ "RUNNING", JOB_RUNNING },	 { "COMPLETING", JOB_RUNNING },
	{ "SUSPENDED", JOB_RUNNING },	 { "STOPPED", JOB_RUNNING },
	{ "SIGNALING", JOB_RUNNING },	 { "STAGE_OUT", JOB_RUNNING },
	{ "RESIZING", JOB_RUNNING },	 { "COMPLETED", JOB_SUCCEEDED },
	{ "FAILED", JOB_FAILED },	 { "NODE_FAIL", JOB_FAILED },
	{ "BOOT_FAIL", JOB_FAILED },	 { "OUT_OF_MEMORY", JOB_FAILED },
	{ "LAUNCH_FAILED", JOB_FAILED }, { "RECONFIG_FAIL", JOB_FAILED },
	{ "TIMEOUT", JOB_TIMEOUT },	 { "DEADLINE", JOB_TIMEOUT },
	{ "CANCELLED", JOB_CANCELLED },	 { "REVOKED", JOB_CANCELLED },
	{ "PREEMPTED", JOB_PREEMPTED },
};

enum job_state slurm_state(const char *word)
{
	size_t len = strcspn(word, " +");

	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		if (strlen(states[i].word) == len && memcmp(states[i].word, word, len) == 0)
			return states[i].state;
	}
	return JOB_UNKNOWN;
}

/* Cuts the next line off *text into out, without its newline; false at the end. A line that is too
 * long comes out empty. */
static bool next_line(struct span *text, char out[LINE_MAX_LEN])
{
	const uint8_t *newline;
	struct span line;

	if (text->len == 0)
		return false;
	newline = memchr(text->ptr, '\n', text->len);
	line = span_cut(text, newline ? (size_t)(newline - text->ptr) : text->len);
	if (newline)
		span_cut(text, 1);
	if (line.len >= LINE_MAX_LEN || memchr(line.ptr, '\0', line.len))
		line.len = 0;
	memcpy(out, line.ptr, line.len);
	out[line.len] = '\0';
	return true;
}

/* Splits at '|' in place; the last field keeps further ones. */
static bool split(char *line, char *fields[FIELDS])
{
	for (int i = 0; i < FIELDS; i++) {
		fields[i] = line;
		if (i == FIELDS - 1)
			return true;
		line = strchr(line, '|');
		if (!line)
			return false;
		*line++ = '\0';
	}
	return true;
}

static uint64_t parse_time(const char *text)
{
	uint64_t seconds;

	/* "N/A", "Unknown" and "None" are not known. */
	return text_parse_uint(text, INT64_MAX / NSEC_PER_SEC, &seconds) ? seconds * NSEC_PER_SEC
									 : 0;
}

/* What both commands have in common; false when it is not about a job. */
static bool read_fields(char *fields[FIELDS], uint64_t *ret_id, struct observation *ret)
{
	if (!text_parse_uint(fields[0], INT64_MAX, ret_id) || fields[1][0] == '\0')
		return false;
	ret->state = slurm_state(fields[1]);
	jobdir_copy_text(ret->native_state, sizeof(ret->native_state), fields[1]);
	if (strcmp(fields[5], "None") != 0)
		jobdir_copy_text(ret->reason, sizeof(ret->reason), fields[5]);
	/* Before a job runs, its start is a guess; before it ends, its end is its limit. */
	if (ret->state != JOB_QUEUED)
		ret->started_ns = parse_time(fields[3]);
	if (job_state_is_ended(ret->state))
		ret->ended_ns = parse_time(fields[4]);
	return true;
}

static void set_exit(struct observation *ret, uint64_t code, uint64_t signal)
{
	if (!job_state_is_ended(ret->state))
		return;
	ret->exit_code = signal == 0 ? (int)(code & 0xff) : JOB_NO_EXIT_CODE;
	ret->signal = (int)(signal & 0x7f);
}

/* "3:0", or the wait status that squeue printed before Slurm 23: "768". */
static bool parse_exit(char *text, uint64_t *ret_code, uint64_t *ret_signal)
{
	char *colon = strchr(text, ':');
	uint64_t status;

	if (colon) {
		*colon = '\0';
		return text_parse_uint(text, 255, ret_code) &&
		       text_parse_uint(colon + 1, 127, ret_signal);
	}
	if (!text_parse_uint(text, UINT32_MAX, &status))
		return false;
	*ret_code = status >> 8;
	*ret_signal = status & 0x7f;
	return true;
}

int slurm_next_line(struct span *text, uint64_t *ret_id, struct observation *ret)
{
	struct observation seen = { .state = JOB_UNKNOWN, .exit_code = JOB_NO_EXIT_CODE };
	char line[LINE_MAX_LEN], *fields[FIELDS];
	uint64_t code = 0, signal = 0;

	if (!next_line(text, line))
		return -1;
	if (!split(line, fields) || !parse_exit(fields[2], &code, &signal) ||
	    !read_fields(fields, ret_id, &seen))
		return 0;
	set_exit(&seen, code, signal);
	*ret = seen;
	return 1;
}

bool slurm_parse_submitted(struct span text, uint64_t *ret_id)
{
	char line[LINE_MAX_LEN];

	if (!next_line(&text, line))
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
