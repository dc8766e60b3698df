/* SPDX-License-Identifier: MIT */
#pragma once

/* Connections as text: a table for people, values and names for programs. */

#include "controller/model/connection.h"
#include "controller/output/output.h"

int output_connections(const struct connection_list *list, const struct output *output,
		       struct err *err) attr_must_use;
