/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Names of users and groups, from /etc/passwd and /etc/group themselves: a static program has no
 * name service switch, and an image may have neither file. What was looked up is kept, also that
 * there is no such name, for the session and up to a limit.
 */

#include <sys/types.h>

#include "init/base/macro.h"

#define NAMES_KEPT 256
#define NAMES_LEN_MAX 64

struct names_entry {
	uint32_t id;
	char name[NAMES_LEN_MAX]; /* "": there is none */
};

struct names_list {
	struct names_entry items[NAMES_KEPT];
	size_t len, next;
};

/* All-zero but for the paths. */
struct names {
	const char *passwd,
		*group; /* "/etc/passwd" and "/etc/group", unless a test says otherwise */
	struct names_list users, groups;
};

/* "" when there is none. Valid until the next call. */
const char *names_user(struct names *names, uint32_t id);
const char *names_group(struct names *names, uint32_t id);

/* The home directory of a user, or NULL; free() it. */
char *names_home(const struct names *names, const char *user) attr_must_use;
char *names_home_of_id(const struct names *names, uid_t id) attr_must_use;
