/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The embedded default: the job runs on this machine, detached, under berth-init, in a sandbox
 * where bubblewrap works and without one where it does not. Its state is what berth-init wrote, and
 * whether berth-init is alive.
 */

#include "controller/backends/backend.h"

/* site is NULL. */
struct backend *local_backend_open(struct site *site);
