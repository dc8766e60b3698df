/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the engine says of containers, as observations. A list tells how all of ours are in one
 * request; when one has started or ended, its times and how it ended are asked for once.
 */

#include "controller/backends/backend.h"
#include "controller/backends/docker/engine.h"

int docker_observe_jobs(struct engine *engine, const struct job *const *jobs, size_t len,
			struct observation *ret, struct err *err) attr_must_use;

/* 1: *ret_id is of the container of this job, that was started; 0: there is none. */
int docker_find_started(struct engine *engine, const char *uid, char ret_id[BACKEND_ID_MAX],
			struct err *err) attr_must_use;

/* An item of the list: false when it is not understood. Texts borrow from the JSON. */
struct docker_item {
	const char *id, *uid;
	const char *state; /* "running", "exited", ... */
};
bool docker_read_item(const json_t *item, struct docker_item *ret) attr_must_use;

/* The engine's word as a state; ended ones are JOB_FAILED until more is known. */
enum job_state docker_state(const char *word);

/* What an inspection tells: how it ended, and when. */
void docker_read_details(const json_t *container, struct observation *ret);

/* Whether one that has just exited is going to be started again, by what it was asked for. */
bool docker_starts_again(const json_t *container, uint64_t now_ns) attr_must_use;

/* What berth-init wrote, and was copied here, which knows more than the container's exit status. */
void docker_read_status(const struct job *job, unsigned int rank, struct observation *ret);
