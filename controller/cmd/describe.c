/* SPDX-License-Identifier: MIT */
/* berth describe: everything that is known about one thing. */
#include <string.h>

#include "controller/cmd/cmd.h"
#include "controller/cmd/get.h"
#include "controller/model/json.h"
#include "controller/ops/gc.h"
#include "controller/ops/jobs.h"
#include "controller/output/describe.h"
#include "controller/output/jobs.h"
#include "controller/output/value.h"

static const struct opt opts[] = {
	OPT_STR('o', "output", struct get_args, output, "FORMAT", "table (default), json or yaml"),
	OPT_END,
};

static int describe_job(struct controller *c, const struct output *output, const char *name,
			struct err *err)
{
	cleanup(job_finish) struct job job = { 0 };
	cleanup(json_release) json_t *array = json_array();
	struct err stale;
	int refreshed;

	if (ops_find_text(c, name, &job, err) < 0)
		return -1;
	refreshed = ops_refresh_job(c, &job, &stale);
	if (output->format == OUTPUT_TABLE) {
		output_describe_job(&job, output);
	} else {
		json_array_append_new(array, output_job_value(&job));
		value_print(array, output);
	}
	if (output_end(output, err) < 0)
		return -1;
	return refreshed < 0
		       ? err_set(err, stale.kind, "the state is the last known: %s", stale.text)
		       : 0;
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct get_args *args = opaque;
	cleanup(controller_close) struct controller *c = NULL;
	struct output output;

	if (strcmp(argv[0], "job") != 0 && strcmp(argv[0], "jobs") != 0)
		return err_set(err, ERR_INVALID, "cannot describe '%.40s': there are jobs",
			       argv[0]);
	if (get_output(args, &output, err) < 0)
		return -1;
	if (output.format != OUTPUT_TABLE && output.format != OUTPUT_JSON &&
	    output.format != OUTPUT_YAML)
		return err_set(err, ERR_INVALID, "--output: '%s' is not one of table, json, yaml",
			       args->output);
	if (controller_open(&c, err) < 0)
		return -1;
	for (int i = 1; i < argc; i++) {
		if (i > 1 && output.format == OUTPUT_TABLE)
			fputc('\n', output.out);
		if (describe_job(c, &output, argv[i], err) < 0)
			return -1;
	}
	ops_collect_in_passing(c);
	return 0;
}

const struct verb cmd_describe = {
	.name = "describe",
	.operands = "job JOB...",
	.summary = "tell everything about a job",
	.details = "A JOB is job-7, 7, or the job's name (the newest with that name).",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct get_args),
	.operands_min = 2,
	.operands_max = -1,
	.run = run,
};
