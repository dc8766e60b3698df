/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * GPUs by their type, counted from the lists of generic resources that schedulers keep:
 * "gpu:a100:2(S:0-1),gpu:1,shard:8". What else such a list holds is passed over, and what is not
 * written like that counts nothing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GPUS_TYPE_SIZE 48
#define GPUS_TYPES_MAX 16
#define GPUS_COUNT_MAX 65536 /* of one element of a list */
#define GPUS_TEXT_SIZE (GPUS_TYPES_MAX * (GPUS_TYPE_SIZE + 24))

struct gpu_type {
	char name[GPUS_TYPE_SIZE]; /* "" where the list has none */
	uint64_t total, used, free;
};

/* In the order in which they came; types beyond the maximum are not counted. */
struct gpus {
	struct gpu_type items[GPUS_TYPES_MAX];
	size_t len;
};

/* Adds those of a node: all, and those that jobs have. On one that is not usable none is free. */
void gpus_add(struct gpus *gpus, const char *gres, const char *gres_used, bool is_usable);

/* All types together, or one (as the list has it, in any case); type NULL or "" is all. */
struct gpu_type gpus_sum(const struct gpus *gpus, const char *type);

/* "a100 1/2, v100 0/1": free and total of each type; "" where there are none. */
void gpus_format(const struct gpus *gpus, char out[GPUS_TEXT_SIZE]);

/* "2" or "a100:2", as users ask for them. */
bool gpus_parse_request(const char *text, char ret_type[GPUS_TYPE_SIZE], uint64_t *ret_count);
