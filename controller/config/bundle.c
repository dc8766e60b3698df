/* SPDX-License-Identifier: MIT */
/* Where berth-init and berth-tunnel are; see bundle.h. */
#include "bundle.h"

#include <string.h>

#include "init/base/alloc.h"
#include "init/base/fs.h"

#define INIT "berth-init"
#define TUNNEL "berth-tunnel"

/* Takes both paths when both programs are there. */
static bool try(const char *init_dir, const char *tunnel_dir, struct bundle *ret)
{
	cleanup(bundle_finish) struct bundle bundle = {
		.init = fs_join(init_dir, INIT),
		.tunnel = fs_join(tunnel_dir, TUNNEL),
	};

	if (access(bundle.init, X_OK) < 0 || access(bundle.tunnel, X_OK) < 0)
		return false;
	*ret = bundle;
	bundle = (struct bundle){ 0 };
	return true;
}

/* BUILD/controller/berth: the siblings are BUILD/init and BUILD/tunnel. */
static bool try_build(const char *program, struct bundle *ret)
{
	cleanup_free char *build = str_dup(program);
	cleanup_free char *init = NULL, *tunnel = NULL;
	char *slash;

	for (int i = 0; i < 2; i++) {
		slash = strrchr(build, '/');
		if (!slash || slash == build)
			return false;
		*slash = '\0';
	}
	init = fs_join(build, "init");
	tunnel = fs_join(build, "tunnel");
	return try(init, tunnel, ret);
}

int bundle_find(const char *program, struct bundle *ret, struct err *err)
{
	const char *named = getenv("BERTH_BUNDLE");

	if (named && named[0] != '\0') {
		if (try(named, named, ret))
			return 0;
		return err_set(err, ERR_NOT_FOUND,
			       "BERTH_BUNDLE: no %s and %s that can be run in %s", INIT, TUNNEL,
			       named);
	}
	if (try_build(program, ret) || try(BERTH_LIBEXECDIR, BERTH_LIBEXECDIR, ret))
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
	*bundle = (struct bundle){ 0 };
}
