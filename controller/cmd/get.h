/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What `berth get` and its resources share: one table of options, of which each resource takes what
 * it understands; all of them can be watched. To add a resource: a file get_NAME.c with its run
 * function, its line below and in get.c's table, a section in berth.1.scd.
 */

#include "controller/model/cluster.h"
#include "controller/model/filter.h"
#include "controller/ops/controller.h"
#include "controller/output/output.h"

struct get_args {
	struct filter_args filter;
	const char *output;
	const char *sort_by;
	const char *group_by;
	const char *backend;
	const char *tail;
	uint64_t limit; /* 0: none */
	bool all;
	bool no_headers;
	bool watch;
	bool refresh;
	bool script;
	const char *list; /* the resource, as get's table has it */
	FILE *out;	  /* NULL: standard output */
};

/* How to show things, from the options and the terminal that standard output may be. */
int get_output(const struct get_args *args, struct output *ret, struct err *err) attr_must_use;

/* Between two looks of --watch. */
#define GET_LOOK_AGAIN_MS 1000
void get_wait_to_look_again(void);

/* Cursor to the upper left corner, and nothing below it (ECMA-48 CUP, ED). */
#define GET_CLEAR_SCREEN "\033[H\033[J"

/* Refuses options that are about jobs: they would be taken for something they do not do. */
int get_check_cluster_args(const struct get_args *args, struct err *err) attr_must_use;

/*
 * The cluster that was named; else the one that jobs go to, unless that is this machine, which has
 * no queues: then "slurm".
 */
int get_choose_cluster(struct controller *c, const char *name, const char **ret, struct err *err)
	attr_must_use;

/* What the configuration says of a cluster; its texts are the controller's. ERR_NOT_FOUND. */
int get_cluster(struct controller *c, const char *name, struct cluster *ret, struct err *err)
	attr_must_use;

/* argv holds the operands behind the resource. */
int get_connections(const struct get_args *args, int argc, char **argv, struct err *err);
int get_counts(const struct get_args *args, int argc, char **argv, struct err *err);
int get_clusters(const struct get_args *args, int argc, char **argv, struct err *err);
int get_error(const struct get_args *args, int argc, char **argv, struct err *err);
int get_jobs(const struct get_args *args, int argc, char **argv, struct err *err);
int get_nodes(const struct get_args *args, int argc, char **argv, struct err *err);
int get_queues(const struct get_args *args, int argc, char **argv, struct err *err);
int get_job_report(const struct get_args *args, int argc, char **argv, struct err *err);
int get_queue_report(const struct get_args *args, int argc, char **argv, struct err *err);
int get_reservations(const struct get_args *args, int argc, char **argv, struct err *err);
int get_resources(const struct get_args *args, int argc, char **argv, struct err *err);
int get_runs(const struct get_args *args, int argc, char **argv, struct err *err);
int get_scheduling_report(const struct get_args *args, int argc, char **argv, struct err *err);

/* The same for `berth describe`. */
int describe_clusters(const struct get_args *args, const struct output *output, int argc,
		      char **argv, struct err *err);
