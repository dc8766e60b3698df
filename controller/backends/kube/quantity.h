/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Amounts as Kubernetes writes them: "4", "500m", "1.5", "16Gi", "100k", "1e3" (kubernetes.io,
 * "Quantity"), texts or numbers of JSON. Pure.
 */

#include <stdbool.h>
#include <stdint.h>

#include "controller/model/json.h"

/*
 * In thousandths, rounded up, so that a tenth of a thousandth is something; UINT64_MAX for what is
 * larger. false: it is no quantity, or a negative one.
 */
bool quantity_parse(const char *text, uint64_t *ret_milli) attr_must_use;

/* The member of an object, in thousandths; 0 when it is missing or none. */
uint64_t quantity_of(const json_t *object, const char *key);
