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

static const char *text_of(const struct config *config, const struct config_cluster *cluster,
			   const char *key)
{
	const char *text = config_text(config, cluster, key);

	return text ? text : "";
}

/*
 * Where jobs go; "" when the context that the configuration names is none: who wants to know which
 * there are gets them all the same, and is told.
 */
static int find_current(struct controller *c, const char **ret, struct err *err)
{
	bool was_asked_for = controller_choice.cluster || controller_choice.context;
	struct where where;
	struct err own;

	*ret = "";
	if (ops_choose(c, NULL, &where, &own) == 0)
		*ret = where.cluster;
	else if (own.kind != ERR_NOT_FOUND || was_asked_for)
		return err_set(err, own.kind, "%s", own.text);
	else
		fprintf(stderr, "berth: %s\n", own.text);
	return 0;
}

static int describe(struct controller *c, const struct config *config,
		    const struct config_cluster *cluster, struct cluster *ret, struct err *err)
{
	struct where where;
	const char *login = text_of(config, cluster, "login");
	const char *machine = text_of(config, cluster, "system");

	if (ops_choose(c, cluster->name, &where, err) < 0)
		return -1;
	*ret = (struct cluster){
		.name = where.cluster,
		.backend = where.backend,
		.login = where.is_remote ? login[0] ? login : machine : "",
		.platform = text_of(config, cluster, "platform"),
		.machine = machine,
		.url = text_of(config, cluster, "url"),
		.architecture = text_of(config, cluster, "architecture"),
	};
	return 0;
}

int get_cluster(struct controller *c, const char *name, struct cluster *ret, struct err *err)
{
	const struct config_cluster *found;
	const struct config *config;
	const char *current;

	if (ops_config(c, &config, err) < 0 || find_current(c, &current, err) < 0)
		return -1;
	found = config_find_cluster(config, name);
	if (found) {
		if (describe(c, config, found, ret, err) < 0)
			return -1;
		ret->is_current = strcmp(name, current) == 0;
		return 0;
	}
	return err_set(err, ERR_NOT_FOUND,
		       "no cluster is called '%.80s': 'berth get clusters' lists them", name);
}

int get_clusters(const struct get_args *args, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(cluster_list_finish) struct cluster_list list = { 0 };
	const struct config *config;
	const char *current;
	struct output output;

	if (get_check_cluster_args(args, err) < 0 || get_output(args, &output, err) < 0 ||
	    controller_open(&c, err) < 0 || ops_config(c, &config, err) < 0 ||
	    find_current(c, &current, err) < 0)
		return -1;
	for (size_t i = 0; i < config->clusters.len; i++) {
		struct cluster cluster;

		if (!is_chosen(config->clusters.items[i].name, argc, argv))
			continue;
		if (describe(c, config, &config->clusters.items[i], &cluster, err) < 0)
			return -1;
		cluster.is_current = strcmp(cluster.name, current) == 0;
		cluster_list_add(&list, &cluster);
	}
	if (argc > 0 && list.len == 0)
		return err_set(err, ERR_NOT_FOUND,
			       "no cluster is called '%.80s': 'berth get clusters' lists them",
			       argv[0]);
	return output_clusters(&list, &output, err);
}
