/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a container needs of us, put where it can use it: programs and files come into a pod as
 * volumes that are read-only, belong to somebody else, and hold at most 1 MiB each. An init
 * container copies them, as whoever the job runs as, and ends. A task of a Swarm has no init
 * container: its own does it, and goes on as the command.
 *
 *	berth-init --install /parts:/berth:0555 --install /secret:/berth-job/job:0700
 *	berth-init --install /secret:/berth-job/job:0700 -- /berth/berth-init --dir ... -- COMMAND
 *
 * A directory is copied, but for what lies deeper and for names that begin with "..", as a volume
 * has them beside its files. NAME.part00, NAME.part01, ... become NAME. Where a list "applets" lies
 * beside "busybox", there is a link bin/APPLET for each of its lines. Done again it is done anew.
 */

#include "init/base/err.h"

/* what: FROM:TO:MODE, absolute paths and octal digits; what others may not read is in a directory
 * that they may not enter. */
int install(const char *what, struct err *err) attr_must_use;
