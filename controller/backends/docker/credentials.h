/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What proves to a registry who we are (oci/credentials.h), as the engine takes it: the header
 * X-Registry-Auth of a request that fetches an image.
 */

#include "init/base/err.h"

/*
 * *ret: for the registry of this image; NULL: there are no credentials. It is a secret: who gets it
 * wipes and frees it.
 */
int credentials_header(const char *reference, char **ret, struct err *err) attr_must_use;
