/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the nodes of a cluster are, and which of berth's programs run there. The setting
 * `architecture` says it, else whoever runs jobs is asked, once: the answer is remembered with what
 * leads there. Where nobody tells, the nodes are taken for machines like this one.
 *
 * Some clusters have nodes of several kinds: then those of the job's queue count, and of these the
 * one that this machine is, or the first.
 */

#include "controller/ops/cluster.h"
#include "controller/ops/internal.h"
#include "controller/ops/where.h"

enum architecture_source {
	ARCHITECTURE_SET,   /* in the configuration */
	ARCHITECTURE_TOLD,  /* by the cluster */
	ARCHITECTURE_TAKEN, /* for this machine's, for want of better knowledge */
};

struct architecture {
	const char *name; /* architecture.h of the model */
	enum architecture_source source;
	struct architectures all; /* that were told */
};

/*
 * backend: asked when that is not known yet; NULL: nobody is asked. queue: NULL for any. Fails only
 * when this machine's own has no name.
 */
int architecture_find(struct controller *c, const struct where *where, struct backend *backend,
		      const char *queue, struct architecture *ret, struct err *err) attr_must_use;

/* The bundle for it, as the setting `bundle` and bundle_find_for() have it. */
int architecture_bundle(struct controller *c, const struct where *where,
			const struct architecture *found, struct bundle *ret, struct err *err)
	attr_must_use;

/* Both. */
int architecture_find_bundle(struct controller *c, const struct where *where,
			     struct backend *backend, struct bundle *ret, struct err *err)
	attr_must_use;

/* In words: "arm64, as configured". */
void architecture_describe(const struct architecture *found, char ret[OPS_ARCHITECTURE_MAX]);
