/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One job for people: its members with a word or two about each, and at the end what to do next.
 * What is not known is left out.
 */

#include "controller/model/job.h"
#include "controller/output/output.h"

void output_describe_job(const struct job *job, const struct output *output);
