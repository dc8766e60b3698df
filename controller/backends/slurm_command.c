/* SPDX-License-Identifier: MIT */
/* Running Slurm's commands; see slurm_command.h. */
#include "slurm_command.h"

#include <string.h>

#include "controller/backends/backend.h"

#define COMMAND_TIMEOUT_MS 60000

const char *const slurm_environment[] = { "SLURM_TIME_FORMAT=%s", NULL };

/* What Slurm's commands say when no controller answers them, and when it does not want us. */
static const struct {
	const char *words;
	enum err_kind kind;
} complaints[] = {
	{ "unable to contact", ERR_UNAVAILABLE },
	{ "connection refused", ERR_UNAVAILABLE },
	{ "slurm.conf", ERR_UNAVAILABLE },
	{ "s_p_parse_file", ERR_UNAVAILABLE },
	{ "configuration source", ERR_UNAVAILABLE },
	{ "resolve_ctls", ERR_UNAVAILABLE },
	{ "munge", ERR_UNAVAILABLE },
	{ "permission", ERR_DENIED },
	{ "denied", ERR_DENIED },
};

static int explain(const char *why, struct err *err)
{
	enum err_kind kind = ERR_INVALID;

	for (size_t i = 0; i < ARRAY_LEN(complaints) && kind == ERR_INVALID; i++) {
		if (strcasestr(why, complaints[i].words))
			kind = complaints[i].kind;
	}
	if (kind == ERR_UNAVAILABLE)
		return err_set(
			err, kind,
			"the controller (slurmctld) cannot be asked: %s: try again later, or "
			"check that this machine is part of the cluster",
			why);
	return err_set(err, kind, "%s", why);
}

int slurm_run(const char *const *argv, const char *const *env, struct child *ret, struct err *err)
{
	const struct child_plan plan = { .argv = argv,
					 .env = env,
					 .timeout_ms = COMMAND_TIMEOUT_MS };
	char why[BACKEND_REASON_MAX];

	if (child_run(&plan, ret, err) < 0) {
		if (err && err->kind == ERR_NOT_FOUND)
			return err_set(err, ERR_UNAVAILABLE,
				       "no %s on this machine: install Slurm's commands, or use "
				       "--backend local",
				       argv[0]);
		return -1;
	}
	if (ret->status == 0)
		return 0;
	child_complaint(ret, why, sizeof(why));
	return explain(why[0] ? why : argv[0], err);
}
