/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The image of a job that a launcher starts on the nodes of a scheduler. Before anything is made or
 * brought there, its registry is asked whether it is for machines like the nodes, and what it runs:
 * such launchers start a command of ours in the place of the image's own.
 *
 * A registry that does not answer (it may be one that only the cluster reaches, or its credentials
 * may be there) is no reason to refuse a job: that is noted, and not tried again for a while. Only
 * a job without a command of its own needs the answer.
 *
 * Engines (Docker, Kubernetes, a Swarm) read their images themselves; files, directories and
 * artefacts that only the cluster has are not looked at.
 */

#include "controller/oci/cache.h"
#include "controller/ops/internal.h"
#include "controller/ops/where.h"
#include "controller/run/argv.h"

/* What is put in the place of what the specification does not say; the specification borrows it. */
struct image_words {
	struct argv command;
	char *directory;
};

void image_words_finish(struct image_words *words);
DEFINE_CLEANUP_VALUE(struct image_words, image_words_finish)

/*
 * Whether the job has no command, and its image may tell one; then a word stands for that, so that
 * all else can be checked before anybody is asked.
 */
bool image_stands_in(const struct where *where, struct spec *spec) attr_must_use;

/*
 * Asks, if there is a registry to be asked. ERR_UNSUPPORTED: the image is for other architectures.
 * wants_command: image_stands_in() said so. notes: NULL for nobody.
 */
int image_look_at(struct controller *c, const struct where *where, const char *arch,
		  bool wants_command, struct spec *spec, struct image_words *ret,
		  struct notes *notes, struct err *err) attr_must_use;
