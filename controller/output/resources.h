/* SPDX-License-Identifier: MIT */
#pragma once

/* What a cluster has, and which nodes can take something, as text. */

#include "controller/model/fit.h"
#include "controller/model/resources.h"
#include "controller/output/output.h"

int output_resources(const struct resource_list *resources, const struct output *output,
		     struct err *err) attr_must_use;

/* fits[i] says what nodes->items[i] can do. */
int output_fits(const struct node_list *nodes, const enum node_fit *fits,
		const struct output *output, struct err *err) attr_must_use;
