/* SPDX-License-Identifier: MIT */
/* Where berth-init and berth-tunnel are; see bundle.h. */
#include "bundle.h"

#include <string.h>

#include "init/base/alloc.h"
#include "init/base/fs.h"

#define INIT "berth-init"
#define TUNNEL "berth-tunnel"

static void add_busybox(const char *dir, struct bundle *bundle)
{
	cleanup_free char *busybox = fs_join(dir, "busybox"), *applets = fs_join(dir, "applets");
	cleanup_free char *licence = fs_join(dir, "busybox.licence");
	cleanup_free char *image = fs_join(dir, "berth.sqsh");

	if (access(busybox, X_OK) < 0 || access(applets, R_OK) < 0 || access(licence, R_OK) < 0)
		return;
	bundle->busybox = take_ptr(busybox);
	bundle->applets = take_ptr(applets);
	bundle->licence = take_ptr(licence);
	if (access(image, R_OK) == 0)
		bundle->image = take_ptr(image);
}

/* Takes both paths when both programs are there. */
static bool try(const char *init_dir, const char *tunnel_dir, const char *busybox_dir,
		struct bundle *ret)
{
	cleanup(bundle_finish) struct bundle bundle = {
		.init = fs_join(init_dir, INIT),
		.tunnel = fs_join(tunnel_dir, TUNNEL),
	};

	if (access(bundle.init, X_OK) < 0 || access(bundle.tunnel, X_OK) < 0)
		return false;
	add_busybox(busybox_dir, &bundle);
	*ret = bundle;
	bundle = (struct bundle){ 0 };
	return true;
}

/* BUILD/controller/berth: the siblings are BUILD/init, BUILD/tunnel and BUILD/squashfs. */
static bool try_build(const char *program, struct bundle *ret)
{
	cleanup_free char *build = str_dup(program);
	cleanup_free char *init = NULL, *tunnel = NULL, *squashfs = NULL;
	char *slash;

	for (int i = 0; i < 2; i++) {
		slash = strrchr(build, '/');
		if (!slash || slash == build)
			return false;
		*slash = '\0';
	}
	init = fs_join(build, "init");
	tunnel = fs_join(build, "tunnel");
	squashfs = fs_join(build, "squashfs");
	return try(init, tunnel, squashfs, ret);
}

int bundle_find(const char *program, struct bundle *ret, struct err *err)
{
	const char *named = getenv("BERTH_BUNDLE");

	if (named && named[0] != '\0') {
		if (try(named, named, named, ret))
			return 0;
		return err_set(err, ERR_NOT_FOUND,
			       "BERTH_BUNDLE: no %s and %s that can be run in %s", INIT, TUNNEL,
			       named);
	}
	if (try_build(program, ret) ||
	    try(BERTH_LIBEXECDIR, BERTH_LIBEXECDIR, BERTH_LIBEXECDIR, ret))
		return 0;
	return err_set(err, ERR_NOT_FOUND,
		       "no %s and %s beside %s or in %s: install berth, or name their directory in "
		       "BERTH_BUNDLE",
		       INIT, TUNNEL, program, BERTH_LIBEXECDIR);
}

void bundle_finish(struct bundle *bundle)
{
	free(bundle->init);
	free(bundle->tunnel);
	free(bundle->busybox);
	free(bundle->applets);
	free(bundle->licence);
	free(bundle->image);
	*bundle = (struct bundle){ 0 };
}
