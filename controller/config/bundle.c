/* SPDX-License-Identifier: MIT */
/* Where berth-init and berth-tunnel are; see bundle.h. */
#include "bundle.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "controller/model/architecture.h"
#include "init/base/alloc.h"
#include "init/base/fd.h"
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

static bool try_dir(const char *dir, struct bundle *ret)
{
	return try(dir, dir, dir, ret);
}

/*
 * BUILD/controller/berth: the siblings are BUILD/init, BUILD/tunnel and BUILD/squashfs; those of
 * another architecture are in BUILD-ARCHITECTURE.
 */
static bool try_build(const char *program, const char *architecture, struct bundle *ret)
{
	cleanup_free char *own = str_dup(program), *build = NULL;
	cleanup_free char *init = NULL, *tunnel = NULL, *squashfs = NULL;
	char *slash;

	for (int i = 0; i < 2; i++) {
		slash = strrchr(own, '/');
		if (!slash || slash == own)
			return false;
		*slash = '\0';
	}
	build = architecture ? str_printf("%s-%s", own, architecture) : str_dup(own);
	init = fs_join(build, "init");
	tunnel = fs_join(build, "tunnel");
	squashfs = fs_join(build, "squashfs");
	return try(init, tunnel, squashfs, ret);
}

int bundle_find(const char *program, struct bundle *ret, struct err *err)
{
	const char *named = getenv("BERTH_BUNDLE");

	if (named && named[0] != '\0') {
		if (try_dir(named, ret))
			return 0;
		return err_set(err, ERR_NOT_FOUND,
			       "BERTH_BUNDLE: no %s and %s that can be run in %s", INIT, TUNNEL,
			       named);
	}
	if (try_build(program, NULL, ret) || try_dir(BERTH_LIBEXECDIR, ret))
		return 0;
	return err_set(err, ERR_NOT_FOUND,
		       "no %s and %s beside %s or in %s: install berth, or name their directory in "
		       "BERTH_BUNDLE",
		       INIT, TUNNEL, program, BERTH_LIBEXECDIR);
}

/* What a program is for; NULL: it cannot be read, or is none. */
static const char *architecture_of(const char *path)
{
	cleanup_close int fd = fd_open(path, O_RDONLY);
	uint8_t head[ARCHITECTURE_HEAD];
	ssize_t len = fd >= 0 ? pread(fd, head, sizeof(head), 0) : -1;

	return len < 0 ? NULL : architecture_of_program(span_of(head, (size_t)len));
}

static int check_architecture(const struct bundle *bundle, const char *architecture,
			      struct err *err)
{
	const char *const programs[] = { bundle->init, bundle->tunnel, bundle->busybox };

	for (size_t i = 0; i < ARRAY_LEN(programs) && programs[i]; i++) {
		const char *found = architecture_of(programs[i]);

		if (!found || strcmp(found, architecture) != 0)
			return err_set(err, ERR_INVALID, "%s is a program for %s, and not for %s",
				       programs[i], found ? found : "no machine that is known",
				       architecture);
	}
	return 0;
}

/* Where they are put by who builds and installs them. */
static bool try_usual(const char *program, const char *architecture, struct bundle *ret)
{
	const char *named = getenv("BERTH_BUNDLE");
	cleanup_free char *dir = NULL;

	if (named && named[0] != '\0') {
		dir = fs_join(named, architecture);
		return try_dir(dir, ret);
	}
	dir = fs_join(BERTH_LIBEXECDIR, architecture);
	return try_build(program, architecture, ret) || try_dir(dir, ret);
}

static int find_other(const char *program, const char *architecture, struct bundle *ret,
		      struct err *err)
{
	if (try_usual(program, architecture, ret))
		return 0;
	return err_set(err, ERR_NOT_FOUND,
		       "berth's programs for %s are not on this machine: install the package "
		       "berth-bundle-%s, or build them with 'ci/build --arch %s', or name their "
		       "directory in the cluster's setting 'bundle'",
		       architecture, architecture, architecture);
}

static int find_named(const char *named, const char *architecture, struct bundle *ret,
		      struct err *err)
{
	cleanup_free char *inner = fs_join(named, architecture);

	if (try_dir(inner, ret) || try_dir(named, ret))
		return 0;
	return err_set(err, ERR_NOT_FOUND,
		       "'bundle': no %s and %s that can be run in %s, nor in %s", INIT, TUNNEL,
		       named, inner);
}

int bundle_find_for(const char *program, const char *architecture, const char *named,
		    struct bundle *ret, struct err *err)
{
	cleanup(bundle_finish) struct bundle bundle = { 0 };
	const char *here = architecture_here();
	bool is_own = here && strcmp(here, architecture) == 0;

	if (is_own && !named)
		return bundle_find(program, ret, err);
	if ((named ? find_named(named, architecture, &bundle, err)
		   : find_other(program, architecture, &bundle, err)) < 0 ||
	    check_architecture(&bundle, architecture, err) < 0)
		return -1;
	bundle.architecture = is_own ? NULL : architecture;
	*ret = bundle;
	bundle = (struct bundle){ 0 };
	return 0;
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
