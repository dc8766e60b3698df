/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * YAML as JSON, for files whose form is defined in JSON. Plain scalars become what YAML's core
 * schema says that they are: null, true, false, a number; quoted ones, and all others, are texts.
 */

#include "controller/model/json.h"
#include "controller/model/yaml.h"

#define YAML_JSON_DEPTH_MAX 32

/*
 * The node and all below it; the caller releases *ret. ERR_INVALID, with the place: a key that is
 * there twice or is no text, an alias, a text that is not UTF-8; ERR_LIMIT: nested too deeply.
 */
int yaml_to_json(struct yaml *y, struct fy_node *node, json_t **ret, struct err *err) attr_must_use;
