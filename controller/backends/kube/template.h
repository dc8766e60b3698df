/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The user's template: YAML or JSON of a Pod, a PodTemplate or a Job, whose pod, labels,
 * annotations and settings ours are put into; and what a single job has beside it (--pod), which is
 * laid over it. Pure.
 */

#include "controller/model/json.h"

/*
 * text: NULL is an empty one. Release *ret, which is shaped like a Job; what is missing of
 * "metadata" and "spec" is for who fills it.
 */
int kube_read_template(const char *text, json_t **ret, struct err *err) attr_must_use;

/*
 * The same of what a job says of its pod: also a PodSpec by itself. Laid over a template: objects
 * are merged, and so are lists of containers, volumes, variables, mounts and pull secrets, by their
 * names or paths; any other list takes the place of the template's; null removes what there was.
 */
int kube_lay_over(json_t *template, const char *pod, struct err *err) attr_must_use;
