/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How a pod is, as its status says: what it waits for before it runs, and how its container ended.
 * What is missing, unknown or of an odd type is passed over; texts for people come out without
 * control characters. Pure.
 */

#include "controller/backends/backend.h"
#include "controller/model/json.h"

/* A pod that has not ended, or how far it is seen: state, words, node, start. */
void kube_read_pod(const json_t *pod, struct observation *ret);

/*
 * How its container ended, when it got so far: exit code or signal, end, and a reason where the
 * status alone does not explain it. The state becomes another only where that is one of its own:
 * PREEMPTED, and TIMEOUT of a pod that has a limit.
 */
void kube_read_pod_end(const json_t *pod, struct observation *ret);

/* The same of a container's state "terminated". False: it did not get so far. */
bool kube_read_terminated(const json_t *ended, struct observation *ret);

/* The words that explain an end by its own limit. */
#define KUBE_LIMIT "its time limit"

/* What parts of answers are read with. A text that is not there is "". */
const char *kube_text(const json_t *object, const char *key);
const json_t *kube_condition(const json_t *object, const char *type, const char *value);
/* "REASON: message" of a condition or the like, or what there is of it. */
void kube_explain_by(const json_t *from, struct observation *ret);
/* "2026-11-21T08:00:00Z", in nanoseconds since the epoch; 0: none. */
uint64_t kube_time(const char *text);
