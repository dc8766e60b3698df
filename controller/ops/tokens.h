/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The token source of a cluster (auth/token.h), made of its settings. The controller keeps it: all
 * that asks the cluster's server in one process shares one token.
 */

#include "controller/auth/token.h"
#include "controller/ops/internal.h"
#include "controller/ops/where.h"

/* *ret is NULL when the cluster's settings name no token; it lives as long as the controller. */
int tokens_of(struct controller *c, const struct where *where, struct token_source **ret,
	      struct err *err) attr_must_use;
