/* SPDX-License-Identifier: MIT */
#pragma once

/* Why jobs failed, as text: a paragraph for each, or values for programs. */

#include "controller/model/failure.h"
#include "controller/output/output.h"

int output_failures(const struct failure_list *failures, const struct output *output,
		    struct err *err) attr_must_use;
