/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The user's pod template: YAML or JSON of a Pod or a PodTemplate, without what only one that is
 * running has. Pure.
 */

#include "controller/model/json.h"

/* text: NULL is an empty one. Release *ret, which has "metadata" and "spec" or may get them. */
int kube_read_template(const char *text, json_t **ret, struct err *err) attr_must_use;
