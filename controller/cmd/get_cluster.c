/* SPDX-License-Identifier: MIT */
/* berth get nodes, berth get queues: what a backend runs jobs on. */
#include "controller/cmd/cmd.h"
#include "controller/cmd/get.h"
#include "controller/ops/cluster.h"
#include "controller/output/cluster.h"

/* Options that are about jobs would be taken for something they do not do. */
static int check(const struct get_args *args, struct err *err)
{
	struct filter filter = { .args = &args->filter };

	if (!filter_is_empty(&filter) || args->sort_by || args->group_by || args->limit ||
	    args->watch || args->all)
		return err_set(err, ERR_INVALID,
			       "nodes and queues are chosen by patterns behind the resource: only "
			       "--backend, --output and --no-headers go with them");
	return 0;
}

static const char *backend_of(const struct get_args *args)
{
	return args->backend ? args->backend : "slurm";
}

int get_nodes(const struct get_args *args, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(node_list_finish) struct node_list nodes = { 0 };
	struct output output;

	if (check(args, err) < 0 || get_output(args, &output, err) < 0 ||
	    controller_open(&c, err) < 0 ||
	    ops_list_nodes(c, backend_of(args), argv, (size_t)argc, &nodes, err) < 0)
		return -1;
	return output_nodes(&nodes, &output, err);
}

int get_queues(const struct get_args *args, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(queue_list_finish) struct queue_list queues = { 0 };
	struct output output;

	if (check(args, err) < 0 || get_output(args, &output, err) < 0 ||
	    controller_open(&c, err) < 0 ||
	    ops_list_queues(c, backend_of(args), argv, (size_t)argc, &queues, err) < 0)
		return -1;
	return output_queues(&queues, &output, err);
}
