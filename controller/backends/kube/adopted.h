/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What is kept of a pod that the tunnel is put into, in the job directory here (adopted.json):
 * which pod it is, and where berth's directory is or may be, so that it can always be removed,
 * whenever a berth dies.
 */

#include "controller/model/job.h"
#include "controller/model/json.h"

#define ADOPTED_PLACES_MAX 32

struct adopted {
	char *pod_uid;
	char *place;			  /* the directory; or NULL: not known yet */
	char *places[ADOPTED_PLACES_MAX]; /* where that may be */
	size_t places_len;
};

void adopted_finish(struct adopted *adopted);
DEFINE_CLEANUP_VALUE(struct adopted, adopted_finish)

/*
 * The root, places where programs can often be written, and what the container mounts to write to.
 * container: its spec, or NULL. Pure.
 */
void adopted_add_places(struct adopted *adopted, const json_t *container);

/* Whether it is the job's directory in one of the places: it is the container that says where. */
bool adopted_is_place(const struct adopted *adopted, const struct job *job, const char *place);

int adopted_write(const struct job *job, const struct adopted *adopted, struct err *err)
	attr_must_use;
/* ERR_NOT_FOUND: nothing was put anywhere. */
int adopted_read(const struct job *job, struct adopted *ret, struct err *err) attr_must_use;
