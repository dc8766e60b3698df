/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Where things are. The user's files follow the XDG base directory specification; $BERTH_HOME is
 * what jobs read and lies on a file system that they see. Only ~/.ssh is found by the passwd entry
 * and never by $HOME, because that is where ssh looks.
 *
 *	$XDG_STATE_HOME/berth   (~/.local/state/berth)   database, keys, known_hosts
 *	$XDG_CONFIG_HOME/berth  (~/.config/berth)        config.yaml
 *	$BERTH_HOME             (~/.berth)               images/<sha256>/, jobs/<uid>/
 *	~/.ssh/berth/                                    one file a job
 */

#include "init/base/cleanup.h"
#include "init/base/err.h"

struct paths {
	char *program; /* this program, absolute: what ProxyCommand runs */
	char *home;
	char *config_dir;
	char *config_file;
	char *state_dir;
	char *database;
	char *keys_dir;
	char *host_key;
	char *known_hosts;
	char *berth_home;
	char *jobs_dir;
	char *images_dir;
	char *ssh_config;
	char *ssh_jobs_dir;
};

/* Looks up; creates nothing. Relative values of the environment are refused. */
int paths_init(struct paths *ret, struct err *err) attr_must_use;
void paths_finish(struct paths *paths);
DEFINE_CLEANUP_VALUE(struct paths, paths_finish)

/* Creates the directories of the workstation's state, 0700. */
int paths_make_state(const struct paths *paths, struct err *err) attr_must_use;

/*
 * A file that the user named, in which "~" is the home directory, alone or before a slash; NULL of
 * NULL. free() it.
 */
char *paths_expand(const struct paths *paths, const char *path) attr_must_use;

/* Files and directories of one job, by its uid; free() them. */
char *paths_job_dir(const struct paths *paths, const char *uid) attr_must_use;
char *paths_client_key(const struct paths *paths, const char *uid) attr_must_use;
/* Where berth-tunnel keeps the tickets that came with it (tunnel/net/ticket.h). */
char *paths_client_tickets(const struct paths *paths, const char *uid) attr_must_use;
