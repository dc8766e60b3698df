/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How the job ended, in the words that every client shows as its last line:
 *
 *	the job has ended: SUCCEEDED
 *	the job has ended: FAILED, exit code 3
 *	the job has ended: FAILED, signal KILL
 */

#include <stdbool.h>

#include "init/base/err.h"
#include "init/base/span.h"

#define ENDING_MAX 64

/*
 * From status.RANK.json (see init/status.h). 1: ret says it; 0: the command still runs; -1: this is
 * no such file.
 */
int ending_parse(struct span text, char ret[ENDING_MAX], struct err *err) attr_must_use;
