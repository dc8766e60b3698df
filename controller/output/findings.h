/* SPDX-License-Identifier: MIT */
#pragma once

/* Findings of doctor as text: a line each, since sentences are not cut; or for programs. */

#include "controller/model/finding.h"
#include "controller/output/output.h"

int output_findings(const struct finding_list *list, const struct output *output, struct err *err)
	attr_must_use;
