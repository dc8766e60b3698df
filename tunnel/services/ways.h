/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * By which ways the job can be reached, as GET /info tells it: an array of objects with path, up,
 * and, where they are known, relay, address, rtt_us and error.
 */

#include <jansson.h>

#include "tunnel/services/service.h"

/* A new reference; an empty array where nothing is known. */
json_t *ways_json(const struct service_env *env) attr_must_use;
