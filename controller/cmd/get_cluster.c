/* SPDX-License-Identifier: MIT */
/* berth get nodes, berth get queues: what a backend runs jobs on. */
#include <string.h>

#include "controller/cmd/cmd.h"
#include "controller/cmd/get.h"
#include "controller/ops/cluster.h"
#include "controller/ops/where.h"
#include "controller/output/cluster.h"

int get_check_cluster_args(const struct get_args *args, struct err *err)
{
	struct filter filter = { .args = &args->filter };

	if (!filter_is_empty(&filter) || args->sort_by || args->group_by || args->limit ||
	    args->watch || args->all)
		return err_set(
			err, ERR_INVALID,
			"clusters, nodes and queues are chosen by patterns behind the resource: only "
			"--backend, --output and --no-headers go with them");
	return 0;
}

/* What was named; else the cluster that jobs go to, unless it has neither nodes nor queues. */
static int choose(struct controller *c, const struct get_args *args, const char **ret,
		  struct err *err)
{
	struct where where;

	if (ops_choose(c, args->backend, &where, err) < 0)
		return -1;
	*ret = !args->backend && strcmp(where.cluster, "local") == 0 ? "slurm" : where.cluster;
	return 0;
}

int get_nodes(const struct get_args *args, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(node_list_finish) struct node_list nodes = { 0 };
	const char *cluster;
	struct output output;

	if (get_check_cluster_args(args, err) < 0 || get_output(args, &output, err) < 0 ||
	    controller_open(&c, err) < 0 || choose(c, args, &cluster, err) < 0 ||
	    ops_list_nodes(c, cluster, argv, (size_t)argc, &nodes, err) < 0)
		return -1;
	return output_nodes(&nodes, &output, err);
}

int get_queues(const struct get_args *args, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(queue_list_finish) struct queue_list queues = { 0 };
	const char *cluster;
	struct output output;

	if (get_check_cluster_args(args, err) < 0 || get_output(args, &output, err) < 0 ||
	    controller_open(&c, err) < 0 || choose(c, args, &cluster, err) < 0 ||
	    ops_list_queues(c, cluster, argv, (size_t)argc, &queues, err) < 0)
		return -1;
	return output_queues(&queues, &output, err);
}
