/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A bar for work that takes long, on the terminal that standard error is. Who does the work tells
 * how far it is as often as it likes; the bar is drawn a few times a second, and gone at the end.
 */

#include <stdint.h>
#include <stdio.h>

struct progress_bar {
	FILE *out;
	const char *what;   /* "copying x": stands before the bar */
	unsigned int width; /* columns of the terminal */
	uint64_t started_ns, drawn_ns;
};

/* done and total are bytes. */
void output_progress(struct progress_bar *bar, uint64_t done, uint64_t total, uint64_t now_ns);
