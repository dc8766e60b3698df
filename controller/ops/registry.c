/* SPDX-License-Identifier: MIT */
/* The backends that there are, by name; see backend.h. */
#include "controller/backends/backend.h"

#include <string.h>

#include "controller/backends/docker/docker.h"
#include "controller/backends/firecrest/firecrest.h"
#include "controller/backends/kube/kube.h"
#include "controller/backends/local/local.h"
#include "controller/backends/slurm/slurm.h"
#include "controller/backends/slurmrest/slurmrest.h"
#include "controller/backends/swarm/swarm.h"
#include "controller/ops/internal.h"

static int open_local(const struct backend_settings *settings, struct site *site,
		      struct backend **ret, struct err *err)
{
	(void)settings, (void)err;
	*ret = local_backend_open(site);
	return 0;
}

static int open_slurm(const struct backend_settings *settings, struct site *site,
		      struct backend **ret, struct err *err)
{
	(void)settings, (void)err;
	*ret = slurm_backend_open(site);
	return 0;
}

static const struct {
	const char *name;
	int (*open)(const struct backend_settings *settings, struct site *site,
		    struct backend **ret, struct err *err);
	bool can_be_elsewhere;
} backends[] = {
	{ "docker", docker_backend_open, false },
	{ "kubernetes", kube_backend_open, false },
	{ "local", open_local, false },
	{ "slurm", open_slurm, true },
	{ "slurmrest", slurmrest_backend_open, true },
	{ "firecrest", firecrest_backend_open, true },
	{ "swarm", swarm_backend_open, false },
};

int backend_check_name(const char *name, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(backends); i++) {
		if (strcmp(backends[i].name, name) == 0)
			return 0;
	}
	return err_set(
		err, ERR_INVALID,
		"no backend '%.40s': there are docker, firecrest, kubernetes, local, slurm, slurmrest and swarm",
		name);
}

int backend_open(const char *name, const struct backend_settings *settings, struct site *site,
		 struct backend **ret, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(backends); i++) {
		if (strcmp(backends[i].name, name) != 0)
			continue;
		if (site && !backends[i].can_be_elsewhere)
			return err_set(err, ERR_UNSUPPORTED,
				       "%s: runs jobs on this machine only: leave 'login' out",
				       name);
		return backends[i].open(settings, site, ret, err);
	}
	return backend_check_name(name, err);
}
