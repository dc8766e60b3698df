/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The user's template: YAML or JSON of a Pod, a PodTemplate or a Job, whose pod, labels,
 * annotations and settings ours are put into. Pure.
 */

#include "controller/model/json.h"

/*
 * text: NULL is an empty one. Release *ret, which is shaped like a Job; what is missing of
 * "metadata" and "spec" is for who fills it.
 */
int kube_read_template(const char *text, json_t **ret, struct err *err) attr_must_use;
