/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a user asked for: which command, how much, where, for how long, and who may be reached
 * through the tunnel. It is written down beside the job as spec.json. Zero and NULL mean "the
 * backend's default". All strings are borrowed: the specification lives as long as the verb that
 * made it.
 */

#include <stdbool.h>

#include "init/base/buf.h"
#include "init/base/err.h"

#define SPEC_JSON_MAX (4 * 1024 * 1024)
#define SPEC_LINE_MAX 200

struct spec {
	const char *name;	    /* or NULL */
	const char *const *command; /* NULL-terminated, at least one word */
	const char *workdir;	    /* absolute */
	const char *const *env;	    /* "KEY=VALUE", what was added to the environment */
	size_t env_len;
	const char *const *allow; /* "host:port" beyond loopback that the tunnel may reach */
	size_t allow_len;
	uint64_t nodes;
	uint64_t tasks;
	uint64_t cpus;	  /* a task */
	uint64_t memory;  /* bytes a node */
	uint64_t time_ns; /* limit */
	const char *hold; /* "DURATION[,on-failure]": how long it outlives its command; or NULL */
	const char *partition;
	const char *account;
	const char *image; /* root directory of the job */
	/* What sessions in the job look like (session.json of berth-tunnel-files(5)). */
	const char *shell; /* absolute path, or NULL: the job's own */
	bool plain_shell;  /* no login shell */
	bool no_motd;
	bool no_vscode_folder;
};

/* Everything that can be known to be wrong before a backend is asked. */
int spec_check(const struct spec *spec, struct err *err) attr_must_use;

/* How many ranks the job will have: one a task. */
uint64_t spec_ranks(const struct spec *spec);

int spec_to_json(const struct spec *spec, struct buf *ret, struct err *err) attr_must_use;

/* The command on one line, shell-quoted, cut to SPEC_LINE_MAX bytes. free() it. */
char *spec_command_line(const struct spec *spec) attr_must_use;
