/* SPDX-License-Identifier: MIT */
/* berth find: nodes that can take something. */
#include <string.h>

#include "controller/cmd/cmd.h"
#include "controller/cmd/get.h"
#include "controller/model/fit.h"
#include "controller/ops/cluster.h"
#include "controller/output/resources.h"

struct args {
	struct get_args get;
	uint64_t cpus, memory;
	const char *gpus;
	const char *constraint, *queue, *state;
	const char *by;
	bool is_total;
};

static const struct opt opts[] = {
	OPT_UINT('c', "cpus", struct args, cpus, "COUNT", "node-with: so many CPUs"),
	OPT_SIZE(0, "mem", struct args, memory, "SIZE", "node-with: so much memory, such as 4G"),
	OPT_STR('G', "gpus", struct args, gpus, "[TYPE:]COUNT", "node-with: so many GPUs"),
	OPT_STR(0, "constraint", struct args, constraint, "FEATURES", "only with these features"),
	OPT_STR('p', "queue", struct args, queue, "PATTERN", "only in matching queues"),
	OPT_STR('s', "state", struct args, state, "STATE", "only in this state: idle, mixed, ..."),
	OPT_STR(0, "by", struct args, by, "WHAT",
		"largest-node: cpus (default), mem, gpus or gpus:TYPE"),
	OPT_FLAG(0, "total", struct args, is_total,
		 "largest-node: by what it has, not what is free"),
	OPT_UINT(0, "limit", struct args, get.limit, "COUNT", "at most so many nodes"),
	OPT_STR('b', "backend", struct args, get.backend, "NAME", "of which cluster"),
	OPT_STR('o', "output", struct args, get.output, "FORMAT",
		"table, wide, json, yaml, csv or name"),
	OPT_FLAG(0, "no-headers", struct args, get.no_headers, "without the line of titles"),
	OPT_END,
};

static int make_request(const struct args *args, struct node_request *ret, struct err *err)
{
	*ret = (struct node_request){
		.cpus = args->cpus,
		.memory = args->memory,
		.constraint = args->constraint,
		.queue = args->queue,
		.state = args->state,
	};
	if (args->gpus && !gpus_parse_request(args->gpus, ret->gpu_type, &ret->gpus))
		return err_set(err, ERR_INVALID,
			       "--gpus: '%.80s' is no number of GPUs: say 2, or a100:2",
			       args->gpus);
	return 0;
}

static int parse_measure(const char *text, enum fit_measure *ret, const char **ret_type,
			 struct err *err)
{
	static const struct {
		const char *word;
		enum fit_measure measure;
	} words[] = { { "cpus", FIT_CPUS }, { "mem", FIT_MEMORY }, { "gpus", FIT_GPUS } };

	*ret_type = NULL;
	*ret = FIT_CPUS;
	for (size_t i = 0; text && i < ARRAY_LEN(words); i++) {
		size_t len = strlen(words[i].word);

		if (strncmp(text, words[i].word, len) != 0 ||
		    (text[len] && (text[len] != ':' || words[i].measure != FIT_GPUS)))
			continue;
		*ret = words[i].measure;
		*ret_type = text[len] ? text + len + 1 : NULL;
		return 0;
	}
	return text ? err_set(err, ERR_INVALID,
			      "--by: '%.40s' is not one of cpus, mem, gpus, "
			      "gpus:TYPE",
			      text)
		    : 0;
}

/* Tells people, on standard error, how many there are of each kind. */
static void tell(const struct fit_counts *counts)
{
	cleanup(notes_finish) struct notes notes = { 0 };

	notes_add(&notes, "of %zu nodes %zu can take it now, %zu when jobs there have ended",
		  counts->nodes, counts->now, counts->later);
	if (counts->out_of_order > 0)
		notes_add(&notes, "%zu that could are out of order: 'berth get nodes' tells why",
			  counts->out_of_order);
	cmd_show_notes(&notes);
}

static bool is_table(const struct output *output)
{
	return output->format == OUTPUT_TABLE || output->format == OUTPUT_WIDE;
}

static int find_with(struct controller *c, const char *cluster, const struct args *args,
		     const struct output *output, struct err *err)
{
	cleanup(fit_list_finish) struct fit_list found = { 0 };
	struct node_request request;

	if (args->by || args->is_total)
		return err_set(err, ERR_INVALID,
			       "--by and --total go with 'find largest-node': leave them out");
	if (make_request(args, &request, err) < 0 ||
	    ops_find_nodes(c, cluster, &request, &found, err) < 0)
		return -1;
	fit_list_cut(&found, args->get.limit);
	if ((found.nodes.len > 0 || !is_table(output)) &&
	    output_fits(&found.nodes, found.fits, output, err) < 0)
		return -1;
	if (found.counts.now + found.counts.later == 0)
		return err_set(
			err, ERR_NOT_FOUND,
			"none of %zu nodes can take that, also when it is empty (%zu are out "
			"of order): 'berth find largest-node --total' shows what there is",
			found.counts.nodes, found.counts.out_of_order);
	if (is_table(output))
		tell(&found.counts);
	return 0;
}

static int find_largest(struct controller *c, const char *cluster, const struct args *args,
			const struct output *output, struct err *err)
{
	cleanup(fit_list_finish) struct fit_list found = { 0 };
	struct node_request request;
	enum fit_measure measure;
	const char *type;

	if (args->cpus || args->memory || args->gpus)
		return err_set(err, ERR_INVALID,
			       "--cpus, --mem and --gpus go with 'find node-with': say --by mem");
	if (make_request(args, &request, err) < 0 ||
	    parse_measure(args->by, &measure, &type, err) < 0 ||
	    ops_find_nodes(c, cluster, &request, &found, err) < 0)
		return -1;
	fit_list_sort(&found, measure, type, args->is_total);
	fit_list_cut(&found, args->get.limit ? args->get.limit : 1);
	if (found.nodes.len == 0)
		return err_set(err, ERR_NOT_FOUND,
			       "no usable node has any%s%s: 'berth get nodes' lists all",
			       type ? " of the type " : "", type ? type : "");
	return output_fits(&found.nodes, found.fits, output, err);
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct args *args = opaque;
	cleanup(controller_close) struct controller *c = NULL;
	struct output output;
	const char *cluster;

	(void)argc;
	if (get_output(&args->get, &output, err) < 0 || controller_open(&c, err) < 0 ||
	    get_choose_cluster(c, args->get.backend, &cluster, err) < 0)
		return -1;
	if (strcmp(argv[0], "node-with") == 0)
		return find_with(c, cluster, args, &output, err);
	if (strcmp(argv[0], "largest-node") == 0)
		return find_largest(c, cluster, args, &output, err);
	return err_set(err, ERR_INVALID,
		       "cannot find '%.40s': there are node-with and largest-node", argv[0]);
}

const struct verb cmd_find = {
	.name = "find",
	.operands = "node-with | largest-node",
	.summary = "find nodes that can take something, or that have most",
	.details = "berth find node-with --cpus 8 --mem 32G --gpus a100:2",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 1,
	.operands_max = 1,
	.run = run,
};
