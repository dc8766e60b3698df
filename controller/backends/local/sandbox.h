/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Bubblewrap (bwrap(1)) around a local job: a pid namespace of its own, in which berth-init is PID
 * 1, so that nothing of the job outlives it. The file system is the user's own, or with an image
 * the image's, with the bundle at /berth and the job directory at /berth-job.
 *
 * --die-with-parent is not used: berth ends long before the job does.
 */

#include <stdbool.h>

#include "controller/backends/backend.h"
#include "controller/run/argv.h"

#define SANDBOX_BUNDLE "/berth"
#define SANDBOX_JOB_DIR "/berth-job"

/*
 * Whether jobs can be sandboxed here, found out by doing it once. False: *why says what is missing.
 */
bool sandbox_works(char *why, size_t size);

/* `bwrap ... --`; the info descriptor tells the pid of berth-init as we see it. */
void sandbox_add_prefix(struct argv *argv, const struct submission *submission, int info_fd);

/* The pid in what bwrap wrote to the info descriptor, or 0. */
int sandbox_parse_info(struct span json);
