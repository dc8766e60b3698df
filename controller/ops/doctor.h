/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Looks at this machine, each configured cluster, and (with a job) at its state and every way into
 * it. Each check is a process of its own, so that all run at the same time, and what hangs (a file
 * server, a login node, a command that prints a token) is killed with all that it started: after
 * DOCTOR_MS at most the answer is there. Nothing is changed.
 */

#include "controller/model/finding.h"
#include "controller/ops/controller.h"

#define DOCTOR_MS 4300

/* ref: a job, or NULL. ERR_NOT_FOUND when there is no such job. */
int ops_doctor(const struct ref *ref, struct finding_list *ret, struct err *err) attr_must_use;

/*
 * Only the relays of the configuration, with their tokens: of each cluster, or of that of --cluster
 * or --context. ERR_NOT_FOUND: there is none.
 */
int ops_doctor_relays(struct finding_list *ret, struct err *err) attr_must_use;
