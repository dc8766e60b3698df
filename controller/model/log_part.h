/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A part of what a job printed. What each rank prints is kept by itself where there are several;
 * the job's own log, or that of the task of its array, then has what was printed for all of them,
 * such as by srun.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_stream { LOG_STDOUT, LOG_STDERR };

/* An offset: what is read are the last bytes. */
#define LOG_END UINT64_MAX

struct log_part {
	enum log_stream which;
	bool of_rank; /* what this rank alone printed; else what is printed for all of the job */
	bool of_task; /* or for all of this rank's task, in an array of such with several */
	unsigned int rank;
	uint64_t since_ns; /* not 0: the log begins with what was printed since then, ... */
	uint64_t offset;   /* ... and this is counted from there */
	size_t max;
};
