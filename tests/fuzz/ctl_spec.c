/* SPDX-License-Identifier: MIT */
/*
 * Job files, batch scripts and spec.json: whatever is written in them, there is an error with a
 * text, or jobs that can be checked and rendered. The first byte of the input is not part of it.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "controller/backends/slurm/submit.h"
#include "controller/model/job_spec.h"
#include "controller/model/ref.h"
#include "controller/model/spec_file.h"

static void render(struct spec spec)
{
	cleanup(buf_finish) struct buf script = BUF_INIT(4 * SLURM_SCRIPT_MAX);
	cleanup(job_finish) struct job job = { 0 };
	cleanup(argv_finish) struct argv argv = { 0 };
	const struct submission submission = { .spec = &spec, .job = &job, .bundle = "/b" };

	job_init(&job);
	spec.workdir = "/";
	if (spec_check(&spec, NULL) < 0 || spec_to_json(&spec, &script, NULL) < 0)
		return;
	buf_clear(&script);
	slurm_add_options(&argv, &submission);
	for (size_t i = 1; i < argv.len; i++)
		assert(strncmp(argv.items[i], "--", 2) == 0 && !strchr(argv.items[i], '\n'));
	if (slurm_write_script(&submission, &script, NULL) == 0)
		assert(strncmp(buf_str(&script), "#!/bin/sh\n", 10) == 0);
}

static void read_back(struct span text)
{
	cleanup(job_finish) struct job job = { 0 };

	job_init(&job);
	if (job_read_spec(&job, text, NULL) < 0)
		return;
	assert(job.nodes > 0 && strlen(job.command) <= SPEC_LINE_MAX);
	assert(job.name[0] == '\0' || ref_check_name(job.name, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup(spec_file_finish) struct spec_file file = { 0 };
	struct err err = { 0 };

	if (len == 0)
		return 0;
	read_back(span_of(bytes + 1, len - 1));
	if (spec_file_parse("f", span_of(bytes + 1, len - 1), &file, &err) < 0) {
		assert(err.kind != ERR_NONE && err.text[0] != '\0' && file.len == 0);
		return 0;
	}
	assert(file.len > 0 && file.len <= SPEC_FILE_JOBS);
	for (size_t i = 0; i < file.len; i++)
		render(file.items[i]->spec);
	return 0;
}
