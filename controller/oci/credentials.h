/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Credentials for registries, where the container tools keep them, in this order:
 *
 *	$REGISTRY_AUTH_FILE, $XDG_RUNTIME_DIR/containers/auth.json,
 *	~/.config/containers/auth.json			podman, skopeo: containers-auth.json(5)
 *	$DOCKER_CONFIG/config.json, ~/.docker/config.json	docker
 *	$ENROOT_CONFIG_PATH/.credentials, ~/.config/enroot/.credentials	enroot: netrc
 *
 * $XDG_CONFIG_HOME takes the place of ~/.config. A file may name a helper instead
 * (docker-credential-NAME), which is run for the registry. What enroot's file would have a shell do
 * is not done.
 */

#include "controller/oci/reference.h"
#include "init/base/span.h"

#define CREDENTIALS_FILE_MAX ((size_t)256 * 1024)
#define CREDENTIALS_HELPER_MAX 64

/* Wiped when it is released. All-NULL: nobody. */
struct credentials {
	char *user;
	char *password;
	char *identity; /* a token that takes the place of both */
};

void credentials_finish(struct credentials *credentials);
DEFINE_CLEANUP_VALUE(struct credentials, credentials_finish)

/*
 * Those for this image, or nobody when no file has any. Files that are damaged are errors: without
 * the credentials that are in them, a private image would look as if it were not there.
 */
int credentials_find(const struct oci_reference *reference, struct credentials *ret,
		     struct err *err) attr_must_use;

/*
 * Looks into a file of docker's or podman's. 1: *ret, or, where there is a helper for it, its name.
 * 0: nothing for this image. -1: it is no such file.
 */
int credentials_parse(struct span text, const struct oci_reference *reference,
		      struct credentials *ret, char helper[CREDENTIALS_HELPER_MAX], struct err *err)
	attr_must_use;

/* The same with a netrc file. */
int credentials_parse_netrc(struct span text, const char *registry, struct credentials *ret,
			    struct err *err) attr_must_use;

/* What a helper printed; nothing is set where that is empty: it knows of none. */
int credentials_parse_helper(struct span text, struct credentials *ret, struct err *err)
	attr_must_use;
