/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How many processes of our control group the kernel has killed because memory ran out: the
 * difference between the command's start and its end says whether that is what ended it. The count
 * is that of our own group and those below it, so that neighbours do not matter; see cgroup(7),
 * "oom_kill" in memory.events (version 2) and in memory.oom_control (version 1). Both are looked
 * for where every system mounts them. In a container that sees its own group as the root of them,
 * the path that /proc tells leads nowhere, and the root is it.
 *
 * Files are read, so that it is for a child process.
 */

#include <stdbool.h>

#include "init/base/span.h"

/* False when that cannot be known here. */
bool oom_count(uint64_t *ret);

/*
 * Takes the next line off /proc/PID/cgroup ("7:cpu,memory:/path", "0::/path") that is about memory.
 * True when there was one: the path, and whether it is of version 2.
 */
bool oom_next_group(struct span *lines, struct span *ret_path, bool *ret_is_v2);

/* The number in the line "oom_kill N" of either file. */
bool oom_parse_count(struct span text, uint64_t *ret);
