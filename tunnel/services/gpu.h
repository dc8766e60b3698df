/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The GPUs that the job sees, as nvidia-smi tells them: it is asked as a child with a time limit,
 * where there is one on the job's PATH. A driver that hangs holds up nobody but the one answer, and
 * that for GPU_LIMIT_MS at most.
 */

#include <uv.h>

#include "tunnel/services/reaper.h"
#include "tunnel/services/service.h"
#include "tunnel/services/stat_text.h"

#define GPU_MAX 64
#define GPU_LIMIT_MS 5000
/* So long an answer is good, and so long nobody is asked after a failure. */
#define GPU_FRESH_MS 2000
#define GPU_PAUSE_MS 60000

struct gpu_query {
	struct service_env *env;
	/* What is known; len is 0 where there are none. */
	struct stat_gpu gpus[GPU_MAX];
	size_t len;
	uint64_t next_ms; /* on the loop's clock: when to ask again */
	/* While it is asked: */
	bool running;
	struct reaper_child child;
	int output; /* a pipe, which holds more than any answer */
	uv_timer_t limit;
	void (*done)(struct gpu_query *query);
	void (*closed)(struct gpu_query *query);
};

void gpu_open(struct gpu_query *query, struct service_env *env);
/* Ends a child that is still there; closed comes when the memory is the owner's again. */
void gpu_close(struct gpu_query *query, void (*closed)(struct gpu_query *query));

/* Brings gpus up to date if they are not; true: done() will come, false: they are. */
bool gpu_ask(struct gpu_query *query, void (*done)(struct gpu_query *query));
