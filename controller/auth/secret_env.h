/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Secrets in the environment, for CI: BERTH_CLIENT_SECRET_<CLUSTER>. They are taken out of it when
 * berth starts, so that no program that berth runs inherits them, least of all sbatch, which would
 * hand them on to the job.
 */

#include "init/base/macro.h"

#define SECRET_ENV_PREFIX "BERTH_CLIENT_SECRET_"

/* Takes them all out of the environment, and out of /proc/PID/environ. */
void secret_env_hide(void);
/* Puts them back, for a program that runs berth in its turn: ssh, which runs `berth proxy`. */
void secret_env_show(void);

/* The name for a cluster: upper case, '_' for all but letters and digits. free() it. */
char *secret_env_name(const char *cluster) attr_must_use;

/* The value that was hidden; NULL when there is none, or it is empty. */
const char *secret_env_get(const char *name);
