/* SPDX-License-Identifier: MIT */
/* The backends that there are, by name; see backend.h. */
#include "backend.h"

#include <string.h>

#include "controller/backends/local.h"
#include "controller/backends/slurm.h"

static const struct {
	const char *name;
	struct backend *(*open)(struct site *site);
	bool can_be_elsewhere;
} backends[] = {
	{ "local", local_backend_open, false },
	{ "slurm", slurm_backend_open, true },
};

int backend_open(const char *name, struct site *site, struct backend **ret, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(backends); i++) {
		if (strcmp(backends[i].name, name) != 0)
			continue;
		if (site && !backends[i].can_be_elsewhere)
			return err_set(err, ERR_UNSUPPORTED,
				       "%s: runs jobs on this machine only: leave 'login' out",
				       name);
		*ret = backends[i].open(site);
		return 0;
	}
	return err_set(err, ERR_INVALID, "no backend '%.40s': there are local and slurm", name);
}
