/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What proves to a registry who we are, as the clients of Docker and Podman keep it: config.json in
 * $DOCKER_CONFIG or ~/.docker, else $REGISTRY_AUTH_FILE or containers/auth.json in the user's
 * runtime directory; written there ("auths"), or asked of a program (docker-credential-NAME).
 */

#include "init/base/err.h"

/*
 * The header that hands them to the engine, for the registry of this image; NULL: there are none.
 * It is a secret: who gets it wipes and frees it.
 */
int credentials_header(const char *reference, char **ret, struct err *err) attr_must_use;

/* The registry of an image: "" when the name does not begin with one. free() it. */
char *credentials_registry(const char *reference);
