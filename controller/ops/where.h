/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Which cluster a verb is about: what it was told, else --cluster and --context, else BERTH_CLUSTER
 * and BERTH_CONTEXT, else the configuration's context, else "local" (config.h).
 */

#include "controller/config/config.h"
#include "controller/ops/controller.h"

struct where {
	const char *cluster; /* its name */
	const char *backend;
	bool is_remote;	      /* its files are behind a login node, or an API */
	const char *login;    /* destination of ssh from which jobs can be reached, or NULL */
	bool runs_containers; /* of images: the working directory is one of these */
	/* NULL for a backend that the configuration does not know (tests), and no context. */
	const struct config_cluster *settings;
	const struct config_context *context;
};

/* name: a cluster, or NULL. What *ret points to lives as long as the controller. */
int ops_choose(struct controller *c, const char *name, struct where *ret, struct err *err)
	attr_must_use;

/* The configuration, read when first asked for. */
int ops_config(struct controller *c, const struct config **ret, struct err *err) attr_must_use;

/* The user's own file. */
const char *ops_config_file(const struct controller *c);

/*
 * Changes a value in it (config_edit()), making it when there is none; ERR_INVALID, and the file as
 * it was, when it would be wrong then.
 */
int ops_config_change(struct controller *c, const struct config_edit *change, struct err *err)
	attr_must_use;

/* Whether --cluster and --context leave this one in. */
bool ops_is_chosen(struct controller *c, const char *cluster);

/* Leaves out jobs of other clusters than --cluster or --context say. */
int ops_keep_chosen(struct controller *c, struct job_list *jobs, struct err *err) attr_must_use;
