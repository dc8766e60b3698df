/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Notices that tunnel.json names another peer: the workstation's key was replaced, or revoked. The
 * file is read every few seconds by a thread, since nothing else tells of changes on a network file
 * system, and since such a file system may hang, which must not stop the loop: then there is one
 * thread that waits, and no second. A file that is missing or broken changes nothing.
 */

#include <uv.h>

#include "tunnel/crypto/key.h"

#define JOB_WATCH_INTERVAL_MS 2000

struct job_watch {
	uv_work_t work;
	uv_timer_t timer;
	const char *path; /* of tunnel.json; borrowed */
	struct key_public peer, found;
	bool reading, has_found;
	/* The new key, from now on the only one that may connect. */
	void (*changed)(struct job_watch *watch, const struct key_public *peer);
};

/* peer is the key that is known already. */
void job_watch_open(struct job_watch *watch, uv_loop_t *loop, const char *path,
		    const struct key_public *peer,
		    void (*changed)(struct job_watch *watch, const struct key_public *peer));
/* Nothing is told any more. A thread that waits for a file system may still do so. */
void job_watch_close(struct job_watch *watch);
