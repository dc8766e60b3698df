/* SPDX-License-Identifier: MIT */
/* berth gc: collects what ended jobs left. */
#include <inttypes.h>

#include "controller/cmd/cmd.h"
#include "controller/ops/gc.h"
#include "controller/output/runs.h"
#include "init/base/text.h"

struct args {
	const char *retention, *keep_size, *keep_jobs;
	bool dry_run;
};

static const struct opt opts[] = {
	OPT_STR(0, "retention", struct args, retention, "DURATION",
		"keep logs of ended jobs for so long (7d)"),
	OPT_STR(0, "keep-size", struct args, keep_size, "SIZE",
		"and so much of each cluster's, the newest (any)"),
	OPT_STR(0, "keep-jobs", struct args, keep_jobs, "COUNT",
		"and of so many of its jobs, the newest (any)"),
	OPT_FLAG(0, "dry-run", struct args, dry_run, "only say what would go, and how large it is"),
	OPT_END,
};

static int make_plan(const struct args *args, struct gc_plan *ret, struct err *err)
{
	uint64_t number;

	*ret = (struct gc_plan){ .retention_ns = GC_RETENTION_NS,
				 .keep_size = args->keep_size,
				 .keep_jobs = args->keep_jobs,
				 .dry_run = args->dry_run };
	if (args->retention && !text_parse_duration(args->retention, &ret->retention_ns))
		return err_set(err, ERR_INVALID,
			       "--retention: '%s' is not a duration: write it like 12h or 7d",
			       args->retention);
	if (args->keep_size && !text_parse_size(args->keep_size, &number))
		return err_set(err, ERR_INVALID,
			       "--keep-size: '%s' is not a size: write it like 500M or 10G",
			       args->keep_size);
	if (args->keep_jobs && !text_parse_uint(args->keep_jobs, UINT32_MAX, &number))
		return err_set(err, ERR_INVALID, "--keep-jobs: '%s' is not a number",
			       args->keep_jobs);
	return 0;
}

static void show_item(const struct gc_item *item)
{
	cleanup_free char *directory = str_dup(item->directory);
	char size[32] = "size not known";

	if (item->is_measured)
		output_format_size(item->bytes, size, sizeof(size));
	text_make_printable(directory);
	if (item->job_id == 0) {
		printf("would remove what a submission that died at its beginning left: %s\n",
		       directory);
		return;
	}
	printf("would remove job-%" PRIu64 ".%s: %s, %s: %s\n", item->job_id, item->cluster, size,
	       item->is_old ? "older than the retention" : "over the quota", directory);
}

static void show(const struct gc_report *report, bool dry_run)
{
	char size[32] = "", sum[48] = "";

	for (size_t i = 0; dry_run && i < report->directories; i++)
		show_item(&report->items[i]);
	if (report->bytes > 0) {
		output_format_size(report->bytes, size, sizeof(size));
		snprintf(sum, sizeof(sum), " of %s", size);
	}
	printf("%s %zu Host blocks, %zu keys, %zu job directories%s, %zu bundles\n",
	       dry_run ? "would remove" : "removed", report->hosts, report->keys,
	       report->directories, sum, report->bundles);
	if (report->transfers > 0)
		printf("%s %zu interrupted transfers\n", dry_run ? "would end" : "ended",
		       report->transfers);
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(gc_report_finish) struct gc_report report = { 0 };
	const struct args *args = opaque;
	struct gc_plan plan;
	int result;

	(void)argc;
	(void)argv;
	if (make_plan(args, &plan, err) < 0 || controller_open(&c, err) < 0)
		return -1;
	result = ops_collect(c, &plan, &report, err);
	show(&report, args->dry_run);
	return result;
}

const struct verb cmd_gc = {
	.name = "gc",
	.operands = "",
	.summary = "collect what ended jobs left",
	.details =
		"Host blocks and keys of jobs that have ended go at once, their directories after the\n"
		"retention, bundles that no job uses after that time too, and copies of files that were\n"
		"interrupted. keep_size and keep_jobs of a cluster in the configuration hold unless the\n"
		"options say otherwise.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.run = run,
};
