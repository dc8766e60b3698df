/* SPDX-License-Identifier: MIT */
#pragma once

#include "controller/backends/local/process.h"

/*
 * Ends a local job at once. In a pid namespace of its own, killing berth-init ends everything in
 * it. Without one, the command's process group is killed and berth-init clears away the rest and
 * writes the status; a berth-init without a command is killed itself.
 */
int localkill(const char *job_dir, const struct process *init, struct err *err) attr_must_use;
