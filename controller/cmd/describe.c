/* SPDX-License-Identifier: MIT */
/* berth describe: everything that is known about one thing. */
#include <string.h>

#include "controller/cmd/cmd.h"
#include "controller/cmd/get.h"
#include "controller/model/json.h"
#include "controller/oci/oci.h"
#include "controller/ops/cluster.h"
#include "controller/ops/gc.h"
#include "controller/ops/jobs.h"
#include "controller/output/cluster.h"
#include "controller/output/describe.h"
#include "controller/output/image.h"
#include "controller/output/jobs.h"
#include "controller/output/value.h"

static const struct opt opts[] = {
	OPT_STR('o', "output", struct get_args, output, "FORMAT", "table (default), json or yaml"),
	OPT_STR('b', "backend", struct get_args, backend, "NAME",
		"node, queue: of which backend (slurm)"),
	OPT_FLAG(0, "refresh", struct get_args, refresh,
		 "job: ask, however short ago that was (max_age)"),
	OPT_FLAG(0, "script", struct get_args, script,
		 "job: also its batch script and its files, as the scheduler has them"),
	OPT_END,
};

static int describe_job(struct controller *c, const struct get_args *args,
			const struct output *output, const char *name, struct err *err)
{
	cleanup(job_finish) struct job job = { 0 };
	cleanup(json_release) json_t *array = json_array();
	cleanup(batch_script_finish) struct batch_script script = { 0 };
	struct job_list one = { .items = &job, .len = 1 };
	struct err stale;
	int refreshed;

	if (ops_find_to_show(c, name, &job, err) < 0)
		return -1;
	refreshed = args->refresh ? ops_refresh_job(c, &job, &stale)
				  : ops_refresh_aged(c, &one, &stale);
	if (args->script && ops_batch_script(c, &job, &script, err) < 0)
		return -1;
	if (output->format == OUTPUT_TABLE) {
		output_describe_job(&job, output);
		if (args->script)
			output_describe_script(&script, output);
	} else {
		json_array_append_new(array, output_job_value(&job));
		if (args->script)
			json_object_set_new(json_array_get(array, 0), "script",
					    output_script_value(&script));
		value_print(array, output);
	}
	if (output_end(output, err) < 0)
		return -1;
	return refreshed < 0
		       ? err_set(err, stale.kind, "the state is the last known: %s", stale.text)
		       : 0;
}

static int describe_nodes(const struct get_args *args, const struct output *output, int argc,
			  char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(node_list_finish) struct node_list nodes = { 0 };
	const char *cluster;

	if (controller_open(&c, err) < 0 ||
	    get_choose_cluster(c, args->backend, &cluster, err) < 0 ||
	    ops_list_nodes(c, cluster, argv, (size_t)argc, &nodes, err) < 0)
		return -1;
	return output->format == OUTPUT_TABLE ? output_describe_nodes(&nodes, output, err)
					      : output_nodes(&nodes, output, err);
}

static int describe_queues(const struct get_args *args, const struct output *output, int argc,
			   char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(queue_list_finish) struct queue_list queues = { 0 };
	const char *cluster;

	if (controller_open(&c, err) < 0 ||
	    get_choose_cluster(c, args->backend, &cluster, err) < 0 ||
	    ops_list_queues(c, cluster, argv, (size_t)argc, &queues, err) < 0)
		return -1;
	return output->format == OUTPUT_TABLE ? output_describe_queues(&queues, output, err)
					      : output_queues(&queues, output, err);
}

static int describe_jobs(const struct get_args *args, const struct output *output, int argc,
			 char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;

	if (args->backend)
		return err_set(err, ERR_INVALID,
			       "--backend: goes with nodes and queues: leave it out");
	if (controller_open(&c, err) < 0)
		return -1;
	for (int i = 0; i < argc; i++) {
		if (i > 0 && output->format == OUTPUT_TABLE)
			fputc('\n', output->out);
		if (describe_job(c, args, output, argv[i], err) < 0)
			return -1;
	}
	ops_collect_in_passing(c);
	return 0;
}

static int describe_images(const struct get_args *args, const struct output *output, int argc,
			   char **argv, struct err *err)
{
	cleanup(json_release) json_t *array = json_array();

	(void)args;
	for (int i = 0; i < argc; i++) {
		cleanup(oci_image_finish) struct oci_image image = { 0 };

		if (oci_inspect(argv[i], NULL, &image, err) < 0)
			return -1;
		if (i > 0 && output->format == OUTPUT_TABLE)
			fputc('\n', output->out);
		if (output->format == OUTPUT_TABLE)
			output_describe_image(&image, output);
		json_array_append_new(array, output_image_value(&image));
	}
	if (output->format != OUTPUT_TABLE)
		value_print(array, output);
	return output_end(output, err);
}

static const struct {
	const char *name, *plural;
	int (*run)(const struct get_args *args, const struct output *output, int argc, char **argv,
		   struct err *err);
} resources[] = {
	{ "cluster", "clusters", describe_clusters },
	{ "image", "images", describe_images },
	{ "job", "jobs", describe_jobs },
	{ "node", "nodes", describe_nodes },
	{ "queue", "queues", describe_queues },
};

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct get_args *args = opaque;
	struct output output;

	if (get_output(args, &output, err) < 0)
		return -1;
	if (output.format != OUTPUT_TABLE && output.format != OUTPUT_JSON &&
	    output.format != OUTPUT_YAML)
		return err_set(err, ERR_INVALID, "--output: '%s' is not one of table, json, yaml",
			       args->output);
	for (size_t i = 0; i < ARRAY_LEN(resources); i++) {
		if (strcmp(argv[0], resources[i].name) == 0 ||
		    strcmp(argv[0], resources[i].plural) == 0)
			return resources[i].run(args, &output, argc - 1, argv + 1, err);
	}
	return err_set(err, ERR_INVALID,
		       "cannot describe '%.40s': there are cluster, image, job, node, queue",
		       argv[0]);
}

const struct verb cmd_describe = {
	.name = "describe",
	.operands =
		"job JOB... | node NODE... | queue QUEUE... | cluster CLUSTER... | image IMAGE...",
	.summary = "tell everything about a job, a node, a queue, a cluster or an image",
	.details = "A JOB is job-7, 7, or the job's name (the newest with that name);\n"
		   "job-7.3 is its rank 3, and job-7_3.1 rank 1 of task 3 of an array.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct get_args),
	.operands_min = 2,
	.operands_max = -1,
	.run = run,
};
