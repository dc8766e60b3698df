/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a job uses while it runs, as its scheduler measures it.
 */

#include <stdint.h>

struct use {
	uint64_t tasks;	  /* processes that are measured as one each */
	uint64_t max_rss; /* bytes, of the largest task */
	uint64_t cpu_ns;  /* user and system, of all tasks */
	uint64_t read;	  /* bytes from disks, of the task that read most */
	uint64_t written;
};
