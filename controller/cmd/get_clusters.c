/* SPDX-License-Identifier: MIT */
/* berth get clusters: where jobs can run. */
#include <string.h>

#include "controller/cmd/cmd.h"
#include "controller/cmd/get.h"
#include "controller/model/cluster.h"
#include "controller/ops/where.h"
#include "controller/output/cluster.h"

static bool is_chosen(const char *name, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], name) == 0)
			return true;
	}
	return argc == 0;
}

int get_clusters(const struct get_args *args, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(cluster_list_finish) struct cluster_list list = { 0 };
	const struct config *config;
	struct where current, where;
	struct output output;

	if (get_check_cluster_args(args, err) < 0 || get_output(args, &output, err) < 0 ||
	    controller_open(&c, err) < 0 || ops_config(c, &config, err) < 0 ||
	    ops_choose(c, NULL, &current, err) < 0)
		return -1;
	for (size_t i = 0; i < config->clusters.len; i++) {
		const struct config_cluster *cluster = &config->clusters.items[i];
		const char *login = config_text(config, cluster, "login");
		const char *machine = config_text(config, cluster, "system");

		if (!is_chosen(cluster->name, argc, argv))
			continue;
		if (ops_choose(c, cluster->name, &where, err) < 0)
			return -1;
		cluster_list_add(&list,
				 &(struct cluster){
					 .name = where.cluster,
					 .backend = where.backend,
					 .login = !where.is_remote ? ""
						  : login	   ? login
						  : machine	   ? machine
								   : "",
					 .is_current = strcmp(where.cluster, current.cluster) == 0,
				 });
	}
	if (argc > 0 && list.len == 0)
		return err_set(err, ERR_NOT_FOUND, "no cluster is called '%.80s'", argv[0]);
	return output_clusters(&list, &output, err);
}
