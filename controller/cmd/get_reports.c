/* SPDX-License-Identifier: MIT */
/* berth get scheduling-report, queue-report, job-report: what schedulers do, and why jobs wait. */
#include "controller/cmd/cmd.h"
#include "controller/cmd/get.h"
#include "controller/ops/jobs.h"
#include "controller/ops/reports.h"
#include "controller/output/reports.h"

int get_scheduling_report(const struct get_args *args, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	struct scheduler_report report;
	const char *cluster;
	struct output output;

	if (argc > 0)
		return err_set(err, ERR_INVALID,
			       "'%.40s': a cluster has one scheduler: say --backend %.40s", argv[0],
			       argv[0]);
	if (get_check_cluster_args(args, err) < 0 || get_output(args, &output, err) < 0 ||
	    controller_open(&c, err) < 0 ||
	    get_choose_cluster(c, args->backend, &cluster, err) < 0 ||
	    ops_report_scheduler(c, cluster, &report, err) < 0)
		return -1;
	return output_scheduler_report(&report, &output, err);
}

int get_queue_report(const struct get_args *args, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(queue_report_list_finish) struct queue_report_list queues = { 0 };
	const char *cluster;
	struct output output;

	if (get_check_cluster_args(args, err) < 0 || get_output(args, &output, err) < 0 ||
	    controller_open(&c, err) < 0 ||
	    get_choose_cluster(c, args->backend, &cluster, err) < 0 ||
	    ops_report_queues(c, cluster, argv, (size_t)argc, &queues, err) < 0)
		return -1;
	return output_queue_reports(&queues, &output, err);
}

int get_job_report(const struct get_args *args, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	cleanup(job_report_list_finish) struct job_report_list reports = { 0 };
	struct filter filter;
	const struct selection selection = { argv, (size_t)argc, args->all, &filter,
					     !args->refresh };
	struct output output;
	int result;

	if (args->group_by || args->backend || args->sort_by || args->limit)
		return err_set(err, ERR_INVALID,
			       "job-report is about jobs in their order: only names and filters of "
			       "jobs, --output, --no-headers and --watch go with it");
	if (get_output(args, &output, err) < 0 || filter_parse(&args->filter, &filter, err) < 0 ||
	    controller_open(&c, err) < 0)
		return -1;
	result = ops_select(c, &selection, &jobs, err);
	if (result != 0)
		return -1;
	if (argc == 0)
		ops_keep_in_queues(c, &jobs);
	if (ops_report_jobs(c, &jobs, &reports, err) < 0)
		return -1;
	return output_job_reports(reports.items, reports.len, &output, err);
}
