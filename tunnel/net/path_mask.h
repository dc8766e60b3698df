/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Which kinds of paths are allowed, as the user's configuration says: in tunnel.json, in the client
 * file, and on the command line.
 *
 *	"paths": ["direct", "relay", "relay-tcp", "login"]          --paths direct,relay
 *
 * Nothing said means all of them. A punched path is a direct one as far as these names go; a client
 * file may forbid it by itself ("punch": false).
 */

#include <jansson.h>

#include "init/base/err.h"
#include "tunnel/net/path.h"

/* One bit a kind; 0 stands for all of them. */
#define PATH_MASK(kind) (1u << (kind))
#define PATH_MASK_ALL (PATH_MASK(PATH_KIND_COUNT) - 1)

bool path_mask_has(unsigned int mask, enum path_kind kind);

/* array may be NULL, for all. Errors name the entry. */
int path_mask_parse(const json_t *array, unsigned int *ret, struct err *err) attr_must_use;
/* "direct,relay": the same as a text. */
int path_mask_parse_list(const char *list, unsigned int *ret, struct err *err) attr_must_use;
/* A new reference. */
json_t *path_mask_json(unsigned int mask) attr_must_use;
