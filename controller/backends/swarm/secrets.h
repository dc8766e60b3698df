/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The files of a job as Secrets of the Swarm, one each, by whose labels is known whose they are.
 * They are there before the service, which names them; a submission that died between leaves them
 * to 'berth gc'. A Secret never changes, and one that a service uses cannot be removed.
 */

#include "controller/backends/backend.h"
#include "controller/backends/docker/engine.h"

#define SWARM_SECRET_MAX (500 * 1024)

/* *ret: an object of files and ids, which the caller releases. */
int swarm_put_secrets(struct engine *engine, const struct job *job, json_t **ret, struct err *err)
	attr_must_use;

/* The same without asking anybody: nobody has given them ids yet. Release it. */
json_t *swarm_plan_secrets(const struct submission *submission);

/* Removes those of this job. */
int swarm_remove_secrets(struct engine *engine, const struct job *job, struct err *err)
	attr_must_use;
