/* SPDX-License-Identifier: MIT */
/* berth get: lists what there is. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "controller/cmd/cmd.h"
#include "controller/cmd/get.h"

static const struct opt opts[] = {
	OPT_STR('o', "output", struct get_args, output, "FORMAT",
		"table, wide, json, yaml, csv or name"),
	FILTER_OPTS(struct get_args, filter),
	OPT_FLAG('a', "all", struct get_args, all, "also jobs that ended more than a day ago"),
	OPT_STR(0, "sort-by", struct get_args, sort_by, "KEY", "such as state,-started"),
	OPT_UINT(0, "limit", struct get_args, limit, "COUNT",
		 "the newest ones, or the first with --sort-by"),
	OPT_STR(0, "group-by", struct get_args, group_by, "KEY",
		"job-counts: state, queue, user, backend"),
	OPT_STR('b', "backend", struct get_args, backend, "NAME",
		"nodes, queues, resources, reports: of which cluster (slurm)"),
	OPT_STR('n', "tail", struct get_args, tail, "LINES",
		"error: so many lines of standard error (10)"),
	OPT_FLAG(0, "no-headers", struct get_args, no_headers, "without the line of titles"),
	OPT_FLAG('w', "watch", struct get_args, watch, "go on, and show what changes"),
	OPT_END,
};

static const struct {
	const char *name, *alias;
	int (*run)(const struct get_args *args, int argc, char **argv, struct err *err);
} resources[] = {
	{ "jobs", "job", get_jobs },
	{ "job-counts", "job-count", get_counts },
	{ "job-runs", "job-run", get_runs },
	{ "error", "errors", get_error },
	{ "clusters", "cluster", get_clusters },
	{ "nodes", "node", get_nodes },
	{ "queues", "queue", get_queues },
	{ "resources", "resource", get_resources },
	{ "scheduling-report", "scheduling-reports", get_scheduling_report },
	{ "queue-report", "queue-reports", get_queue_report },
	{ "job-report", "job-reports", get_job_report },
	{ "connections", "connection", get_connections },
};

static unsigned int terminal_width(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static bool wants_colour(void)
{
	const char *term = getenv("TERM"), *none = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0 && !(none && *none);
}

int get_output(const struct get_args *args, struct output *ret, struct err *err)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	*ret = (struct output){
		.no_headers = args->no_headers,
		.colour = wants_colour(),
		.now_ns = (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec,
		.out = stdout,
	};
	if (output_parse_format(args->output, &ret->format, err) < 0)
		return -1;
	/* Who asks for everything gets it, and wraps or pages it as they like. */
	if (ret->format == OUTPUT_TABLE)
		ret->width = terminal_width();
	return 0;
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct get_args *args = opaque;

	for (size_t i = 0; i < ARRAY_LEN(resources); i++) {
		if (strcmp(argv[0], resources[i].name) != 0 &&
		    strcmp(argv[0], resources[i].alias) != 0)
			continue;
		if (args->tail && resources[i].run != get_error)
			return err_set(err, ERR_INVALID, "--tail: goes with 'get error' only");
		return resources[i].run(args, argc - 1, argv + 1, err);
	}
	return err_set(err, ERR_INVALID,
		       "cannot get '%.40s': there are jobs, job-counts, job-runs, error, clusters, "
		       "nodes, queues, resources, scheduling-report, queue-report, job-report, "
		       "connections",
		       argv[0]);
}

const struct verb cmd_get = {
	.name = "get",
	.operands =
		"jobs | job-counts | job-runs | error | clusters | nodes | queues | resources |\n"
		"       connections [NAME...]",
	.summary = "list jobs, their errors, clusters and what they have, reports, connections",
	.details = "A job is named job-7, 7, or by its name (the newest with that name).",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct get_args),
	.operands_min = 1,
	.operands_max = -1,
	.run = run,
};
