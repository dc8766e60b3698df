/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How far an engine is with an image that it fetches, by the lines of JSON that it answers
 * meanwhile. A layer is announced, downloaded and unpacked; docker tells bytes of both, podman may
 * tell only that a layer is complete. Each half counts as half of the layer's bytes, so that the
 * whole does not end before the image is there.
 *
 *	if (fetching_take_line(&fetching, line, err) < 0)
 *		return -1;
 *	fetching_sum(&fetching, &done, &total);
 */

#include <stdbool.h>
#include <stdint.h>

#include "init/base/err.h"
#include "init/base/span.h"

#define FETCHING_LINE_MAX (64 * 1024)
/* More layers than an image can have; further ones are not counted. */
#define FETCHING_LAYERS_MAX 128
#define FETCHING_ID_MAX 16

struct fetching_layer {
	char id[FETCHING_ID_MAX]; /* its beginning, which is all that is told of it */
	uint64_t size, downloaded, unpacked;
};

struct fetching {
	struct fetching_layer layers[FETCHING_LAYERS_MAX];
	unsigned int len, complete; /* complete: how many layers are there, or were before */
};

/* -1: it failed, and *err says why, of a kind that fits. What is not understood says nothing. */
int fetching_take_line(struct fetching *fetching, struct span line, struct err *err) attr_must_use;
/* Bytes of the layers whose size is known; both are 0 at first. done <= total. */
void fetching_sum(const struct fetching *fetching, uint64_t *ret_done, uint64_t *ret_total);
/* What a registry or an engine says is known by its words alone. */
enum err_kind fetching_kind_of(const char *words);
