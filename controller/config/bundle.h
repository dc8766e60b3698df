/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The bundle: berth-init and berth-tunnel, the two static programs that go with a job, and with
 * them a static busybox for images that lack programs. Looked for in $BERTH_BUNDLE (one directory
 * with all), then beside the build directory of this program (../init/berth-init,
 * ../tunnel/berth-tunnel, ../squashfs/busybox), then in PREFIX/libexec/berth.
 *
 * Those for another architecture than this machine's are looked for where a cluster's setting
 * `bundle` says, in ARCHITECTURE/ of $BERTH_BUNDLE, in the build directory beside this one that is
 * called BUILD-ARCHITECTURE, and in PREFIX/libexec/berth/ARCHITECTURE. Their headers are read: a
 * program of another machine is none.
 */

#include "init/base/cleanup.h"
#include "init/base/err.h"

struct bundle {
	char *init;
	char *tunnel;
	/* All three, or NULL: BERTH_BUNDLE may name a directory without. */
	char *busybox;
	char *applets; /* the names it is to be linked under, one a line */
	char *licence;
	char *image; /* all of it as a squashfs, for launchers that mount one; or NULL */
	const char *architecture; /* of another one than this machine's; else NULL */
};

/* program: the absolute path of this program. */
int bundle_find(const char *program, struct bundle *ret, struct err *err) attr_must_use;

/*
 * Those of an architecture (architecture.h), by its one name. named: a directory that has them, or
 * has them in ARCHITECTURE/; NULL: as above. ERR_NOT_FOUND says how to get them.
 */
int bundle_find_for(const char *program, const char *architecture, const char *named,
		    struct bundle *ret, struct err *err) attr_must_use;
void bundle_finish(struct bundle *bundle);
DEFINE_CLEANUP_VALUE(struct bundle, bundle_finish)
