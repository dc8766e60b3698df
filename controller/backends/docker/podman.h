/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What Podman makes of Docker's API, where that is not what was asked for: it leaves GPUs out
 * without a word, makes a directory that is to be mounted and is not there, and writes mounts down
 * as CSV, in which a comma or a quote of a path means something else.
 */

#include <stdbool.h>

#include "controller/model/json.h"
#include "init/base/err.h"

/*
 * Changes the body of POST /containers/create so that Podman does what it says, or refuses what
 * Podman would not do. is_here: it sees this machine's files.
 */
int podman_adapt(json_t *body, bool is_here, struct err *err) attr_must_use;
