/* SPDX-License-Identifier: MIT */
/* berth describe cluster: where it is, and what its server says of itself. */
#include <string.h>

#include "controller/cmd/cmd.h"
#include "controller/cmd/get.h"
#include "controller/model/json.h"
#include "controller/ops/cluster.h"
#include "controller/ops/where.h"
#include "controller/output/cluster.h"
#include "controller/output/describe.h"
#include "controller/output/reservations.h"
#include "controller/output/value.h"

/* What is asked there. A server that does not answer is told about in the place of what it says. */
struct told {
	char services[OPS_HEALTH_MAX];
	struct reservation_list reservations;
	char architecture[OPS_ARCHITECTURE_MAX]; /* in words, or "" */
	const char *architecture_name;		 /* or "" */
};

static void told_finish(struct told *told)
{
	reservation_list_finish(&told->reservations);
}
DEFINE_CLEANUP_VALUE(struct told, told_finish)

static void ask(struct controller *c, const char *cluster, struct told *ret)
{
	bool is_well;
	struct err err;

	ret->architecture_name = ops_cluster_architecture(c, cluster, ret->architecture);
	if (ops_cluster_health(c, cluster, &is_well, ret->services, &err) < 0 &&
	    err.kind != ERR_UNSUPPORTED)
		snprintf(ret->services, sizeof(ret->services), "does not answer: %.200s", err.text);
	/* Where the first question fails, so does the second. */
	if (ops_list_reservations(c, cluster, NULL, 0, &ret->reservations, &err) < 0)
		reservation_list_finish(&ret->reservations);
}

static void print(const struct cluster *cluster, const struct told *told,
		  const struct output *output)
{
	output_line(output, "Cluster:", "%s%s", cluster->name,
		    cluster->is_current ? " (jobs go there)" : "");
	output_line(output, "Backend:", "%s", cluster->backend);
	output_line(output, "Platform:", "%s", cluster->platform);
	output_line(output, "System:", "%s", cluster->machine);
	output_line(output, "Address:", "%s", cluster->url);
	output_line(output, "Login:", "%s", cluster->login);
	output_line(output, "Architecture:", "%s", told->architecture);
	output_line(output, "Services:", "%s", told->services);
	for (size_t i = 0; i < told->reservations.len; i++) {
		const struct reservation *reservation = &told->reservations.items[i];
		char ends[OUTPUT_MOMENT_SIZE];

		output_format_moment(reservation->ends_ns, output->now_ns, ends);
		output_line(output, "Reservation:", "%s: %s until %s", reservation->name,
			    reservation->node_list, ends);
	}
}

static json_t *make_value(const struct cluster *cluster, const struct told *told)
{
	json_t *value = output_cluster_value(cluster), *reservations = json_array();

	json_object_set_new(value, "architecture", value_optional(told->architecture_name));
	json_object_set_new(value, "services", value_optional(told->services));
	for (size_t i = 0; i < told->reservations.len; i++)
		json_array_append_new(reservations,
				      output_reservation_value(&told->reservations.items[i]));
	json_object_set_new(value, "reservations", reservations);
	return value;
}

int describe_clusters(const struct get_args *args, const struct output *output, int argc,
		      char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(json_release) json_t *array = json_array();

	if (args->backend)
		return err_set(err, ERR_INVALID,
			       "--backend: goes with nodes and queues: leave it out");
	if (controller_open(&c, err) < 0)
		return -1;
	for (int i = 0; i < argc; i++) {
		cleanup(told_finish) struct told told = { 0 };
		struct cluster cluster;

		if (get_cluster(c, argv[i], &cluster, err) < 0)
			return -1;
		ask(c, cluster.name, &told);
		if (i > 0 && output->format == OUTPUT_TABLE)
			fputc('\n', output->out);
		if (output->format == OUTPUT_TABLE)
			print(&cluster, &told, output);
		json_array_append_new(array, make_value(&cluster, &told));
	}
	if (output->format != OUTPUT_TABLE)
		value_print(array, output);
	return output_end(output, err);
}
