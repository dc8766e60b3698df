/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Containers that berth did not start. The tunnel is copied into one that runs and started there
 * by the engine's exec; from then on it is a job as any other, but for two things: 'cancel' ends
 * the tunnel and not the container, and collecting it takes out what was copied in.
 */

#include "controller/ops/controller.h"
#include "controller/ops/where.h"

/*
 * The cluster that a word before a colon stands for: one of that name, or for docker, podman and
 * k8s the first of the configuration with that backend, else the backend's own. free() it; NULL: it
 * is no such word, and what it says is the name of a cluster.
 */
char *ops_adopting_cluster(struct controller *c, const char *word);

/* 1: it is a job already, which has not ended, and *ret is that; 0: it is none. Errors as below. */
int ops_find_adopted(struct controller *c, const struct where *where, const char *name,
		     struct job *ret, struct err *err) attr_must_use;

/*
 * name: as the engine knows it. ERR_NOT_FOUND; ERR_UNAVAILABLE: it does not run, or nothing can be
 * copied into it.
 */
int ops_adopt(struct controller *c, const struct where *where, const char *name, struct job *ret,
	      struct notes *notes, struct err *err) attr_must_use;

/* Puts the tunnel of one that is known back where it is not any more. */
int ops_adopt_again(struct controller *c, const struct where *where, struct job *job,
		    struct err *err) attr_must_use;

/* Takes the tunnel out of a container, which goes on, and records that. */
int ops_abandon(struct controller *c, struct job *job, struct err *err) attr_must_use;
