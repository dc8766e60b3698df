/* SPDX-License-Identifier: MIT */
/* berth get: lists what there is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "controller/cmd/cmd.h"
#include "controller/cmd/get.h"
#include "init/base/cleanup.h"
#include "init/base/text.h"

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
	OPT_FLAG(0, "refresh", struct get_args, refresh,
		 "ask, however short ago that was (max_age)"),
	OPT_END,
};

static const struct resource {
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
	{ "reservations", "reservation", get_reservations },
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
		.list = args->list,
		.colour = wants_colour(),
		.now_ns = (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec,
		.out = args->out ? args->out : stdout,
	};
	if (output_parse_format(args->output, &ret->format, err) < 0)
		return -1;
	/* Who asks for everything gets it, and wraps or pages it as they like. */
	if (ret->format == OUTPUT_TABLE)
		ret->width = terminal_width();
	return 0;
}

/* What it prints now; free() it. */
static int print_to_text(const struct resource *resource, const struct get_args *args, int argc,
			 char **argv, char **ret, struct err *err)
{
	struct get_args once = *args;
	cleanup_free char *text = NULL;
	size_t len;
	int result;

	once.out = open_memstream(&text, &len);
	if (!once.out)
		return err_set_errno(err, errno, "watch");
	result = resource->run(&once, argc, argv, err);
	if (fclose(once.out) < 0)
		return err_set_errno(err, errno, "watch");
	if (result == 0)
		*ret = take_ptr(text);
	return result;
}

/*
 * On a terminal it is drawn anew every second; elsewhere it is printed again when it is not what it
 * was. Ends by a signal, or when it cannot be written any more.
 */
static int watch(const struct resource *resource, const struct get_args *args, int argc,
		 char **argv, struct err *err)
{
	const struct output output = { .out = stdout };
	bool is_drawn =
		isatty(STDOUT_FILENO) && (!args->output || strcmp(args->output, "table") == 0);
	cleanup_free char *before = NULL;

	for (;;) {
		cleanup_free char *now = NULL;

		if (print_to_text(resource, args, argc, argv, &now, err) < 0)
			return -1;
		if (is_drawn)
			fputs(GET_CLEAR_SCREEN, stdout);
		if (is_drawn || !before || strcmp(before, now) != 0)
			fputs(now, stdout);
		if (output_end(&output, err) < 0)
			return -1;
		free(before);
		before = take_ptr(now);
		get_wait_to_look_again();
	}
}

void get_wait_to_look_again(void)
{
	nanosleep(&(struct timespec){ .tv_sec = GET_LOOK_AGAIN_MS / 1000 }, NULL);
}

static int refuse(const char *word, struct err *err)
{
	unsigned int least = TEXT_CLOSE + 1;
	const char *close = NULL;

	for (size_t i = 0; i < ARRAY_LEN(resources); i++) {
		unsigned int far = text_distance(word, resources[i].name);

		if (far < least) {
			least = far;
			close = resources[i].name;
		}
	}
	if (close)
		return err_set(err, ERR_INVALID, "cannot get '%.40s': did you mean '%s'?", word,
			       close);
	return err_set(err, ERR_INVALID,
		       "cannot get '%.40s': 'berth get --help' says what there is", word);
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	struct get_args *args = opaque;

	if (argc == 0)
		return err_set(
			err, ERR_INVALID,
			"get what? jobs, nodes or queues, for example: 'berth get --help' names all");
	for (size_t i = 0; i < ARRAY_LEN(resources); i++) {
		const struct resource *resource = &resources[i];

		if (strcmp(argv[0], resource->name) != 0 && strcmp(argv[0], resource->alias) != 0)
			continue;
		if (args->tail && resource->run != get_error)
			return err_set(err, ERR_INVALID, "--tail: goes with 'get error' only");
		args->list = resource->name;
		if (args->watch && resource->run != get_jobs)
			return watch(resource, args, argc - 1, argv + 1, err);
		return resource->run(args, argc - 1, argv + 1, err);
	}
	return refuse(argv[0], err);
}

const struct verb cmd_get = {
	.name = "get",
	.operands =
		"jobs | job-counts | job-runs | error | clusters | nodes | queues | reservations |\n"
		"       resources | scheduling-report | queue-report | job-report | connections "
		"[NAME...]",
	.summary = "list jobs, their errors, clusters and what they have, reports, connections",
	.details = "A job is named job-7, 7, or by its name (the newest with that name);\n"
		   "job-7.3 is its rank 3, and job-7_3.1 rank 1 of task 3 of an array.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct get_args),
	.operands_min = 0,
	.operands_max = -1,
	.run = run,
};
