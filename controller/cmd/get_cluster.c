/* SPDX-License-Identifier: MIT */
/* berth get nodes, queues, resources: what a backend runs jobs on. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cmd/cmd.h"
#include "controller/cmd/get.h"
#include "controller/ops/cluster.h"
#include "controller/ops/where.h"
#include "controller/output/cluster.h"
#include "controller/output/reservations.h"
#include "controller/output/resources.h"

int get_check_cluster_args(const struct get_args *args, struct err *err)
{
	struct filter filter = { .args = &args->filter };

	if (!filter_is_empty(&filter) || args->sort_by || args->group_by || args->limit ||
	    args->all || args->refresh)
		return err_set(
			err, ERR_INVALID,
			"what there is of a cluster is chosen by patterns behind the resource: only "
			"--backend, --output, --no-headers and --watch go with them");
	return 0;
}

int get_choose_cluster(struct controller *c, const char *name, const char **ret, struct err *err)
{
	struct where where;

	if (ops_choose(c, name, &where, err) < 0)
		return -1;
	*ret = !name && strcmp(where.cluster, "local") == 0 ? "slurm" : where.cluster;
	return 0;
}

int get_nodes(const struct get_args *args, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(node_list_finish) struct node_list nodes = { 0 };
	const char *cluster;
	struct output output;

	if (get_check_cluster_args(args, err) < 0 || get_output(args, &output, err) < 0 ||
	    controller_open(&c, err) < 0 ||
	    get_choose_cluster(c, args->backend, &cluster, err) < 0 ||
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
	    controller_open(&c, err) < 0 ||
	    get_choose_cluster(c, args->backend, &cluster, err) < 0 ||
	    ops_list_queues(c, cluster, argv, (size_t)argc, &queues, err) < 0)
		return -1;
	return output_queues(&queues, &output, err);
}

int get_reservations(const struct get_args *args, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(reservation_list_finish) struct reservation_list reservations = { 0 };
	const char *cluster;
	struct output output;

	if (get_check_cluster_args(args, err) < 0 || get_output(args, &output, err) < 0 ||
	    controller_open(&c, err) < 0 ||
	    get_choose_cluster(c, args->backend, &cluster, err) < 0 ||
	    ops_list_reservations(c, cluster, argv, (size_t)argc, &reservations, err) < 0)
		return -1;
	return output_reservations(&reservations, &output, err);
}

/* Queues that match a pattern, and all nodes; with patterns only the queues. */
static void keep_queues(struct resource_list *resources, int argc, char **argv)
{
	size_t kept = 0;

	for (size_t i = 0; i < resources->len; i++) {
		struct resource resource = resources->items[i];
		bool is_chosen = false;

		for (int n = 0; n < argc && resource.queue; n++)
			is_chosen |= fnmatch(argv[n], resource.queue, 0) == 0;
		if (is_chosen)
			resources->items[kept++] = resource;
		else
			free(resource.queue);
	}
	resources->len = kept;
}

int get_resources(const struct get_args *args, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(node_list_finish) struct node_list nodes = { 0 };
	cleanup(resource_list_finish) struct resource_list resources = { 0 };
	const char *cluster;
	struct output output;

	if (get_check_cluster_args(args, err) < 0 || get_output(args, &output, err) < 0 ||
	    controller_open(&c, err) < 0 ||
	    get_choose_cluster(c, args->backend, &cluster, err) < 0 ||
	    ops_list_nodes(c, cluster, NULL, 0, &nodes, err) < 0)
		return -1;
	resource_list_init(&resources, &nodes);
	if (argc > 0)
		keep_queues(&resources, argc, argv);
	if (resources.len == 0)
		return err_set(err, ERR_NOT_FOUND,
			       "no queue is called '%.80s': 'berth get queues' lists them",
			       argv[0]);
	return output_resources(&resources, &output, err);
}
