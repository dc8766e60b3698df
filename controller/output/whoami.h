/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Who one is on a cluster: for people line by line, for programs as one object. The claims come
 * from an issuer and are shown as what they are: its words, nothing that berth has verified.
 */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "controller/output/output.h"

struct output_whoami {
	const char *cluster, *source, *issuer, *client_id, *scopes, *grant, *user; /* or NULL */
	uint64_t ends_ns, refresh_ends_ns;
	bool renews;
	json_t *claims; /* or NULL */
};

int output_whoami(const struct output_whoami *who, const struct output *output, struct err *err)
	attr_must_use;
