/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How berth's programs come to the nodes of a Swarm:
 *
 *	a directory or a volume that every node has (setting `bundle_volume`)
 *	where there is one node, a volume that its engine fills (docker/volume.h)
 *	else parts of them in Configs, brought once a version, which berth-init puts together
 *
 * Configs are called berth-DIGEST-FILE, or berth-DIGEST-FILE.partNN of a file that does not fit
 * into one; they never change, and go when no service uses them.
 */

#include "controller/backends/swarm/observe.h"

/* Of a Config; the Swarm's limit is a little above that, also in older versions. */
#define SWARM_PART_MAX ((size_t)490 * 1024)

/* The name of a part; part: -1: the whole file. free() it. */
char *swarm_part_name(const char *bundle, const char *file, int part);

struct swarm_source {
	const char *volume; /* the setting, or NULL */
	const char *bundle; /* the directory here */
	const char *image;  /* any that the engine has */
};

/*
 * *ret_mount: what tasks mount, or NULL: *ret_configs has the ids of Configs by their names. The
 * caller releases both.
 */
int swarm_bring_programs(struct swarm *swarm, const struct swarm_source *source, char **ret_mount,
			 json_t **ret_configs, struct err *err) attr_must_use;

/* Removes Configs that no service uses, and volumes that no container does. */
int swarm_collect_programs(struct swarm *swarm, struct err *err) attr_must_use;
