/* SPDX-License-Identifier: MIT */
/* Running Slurm's commands; see command.h. */
#include "command.h"

#include <string.h>

const char *const slurm_environment[] = { "SLURM_TIME_FORMAT=%s", NULL };

#define NO_CONTROLLER "try again later, or check that this machine is part of the cluster"

/* Parts of what Slurm's commands say, what kind of error that is, and what to do. */
static const struct {
	const char *words;
	enum err_kind kind;
	const char *advice; /* or NULL */
} complaints[] = {
	{ "unable to contact", ERR_UNAVAILABLE, NO_CONTROLLER },
	{ "timed out on send/recv", ERR_UNAVAILABLE, NO_CONTROLLER },
	{ "zero bytes were transmitted", ERR_UNAVAILABLE, NO_CONTROLLER },
	{ "communication connection", ERR_UNAVAILABLE, NO_CONTROLLER },
	{ "connection refused", ERR_UNAVAILABLE, NO_CONTROLLER },
	{ "slurm.conf", ERR_UNAVAILABLE, NO_CONTROLLER },
	{ "s_p_parse_file", ERR_UNAVAILABLE, NO_CONTROLLER },
	{ "configuration source", ERR_UNAVAILABLE, NO_CONTROLLER },
	{ "resolve_ctls", ERR_UNAVAILABLE, NO_CONTROLLER },
	{ "munge", ERR_UNAVAILABLE, NO_CONTROLLER },
	{ "permission", ERR_DENIED, NULL },
	{ "denied", ERR_DENIED, NULL },
	{ "invalid job id", ERR_NOT_FOUND, "Slurm has forgotten the job" },
	{ "held state", ERR_UNAVAILABLE, "'berth release' it first" },
	{ "no longer pending", ERR_UNAVAILABLE, "only a job that waits can be changed so" },
	{ "pending execution", ERR_UNAVAILABLE, "it waits already" },
	{ "already finished", ERR_UNAVAILABLE, NULL },
	{ "already completing", ERR_UNAVAILABLE, NULL },
	{ "disabled", ERR_UNAVAILABLE, NULL },
	{ "invalid partition", ERR_INVALID, "'sinfo' lists those that there are" },
};

int slurm_explain(const char *why, struct err *err)
{
	size_t i = 0;

	while (i < ARRAY_LEN(complaints) && !strcasestr(why, complaints[i].words))
		i++;
	if (i == ARRAY_LEN(complaints))
		return err_set(err, ERR_INVALID, "%s", why);
	if (complaints[i].advice && strcmp(complaints[i].advice, NO_CONTROLLER) == 0)
		return err_set(err, complaints[i].kind,
			       "the controller (slurmctld) cannot be asked: %s: %s", why,
			       complaints[i].advice);
	return err_set(err, complaints[i].kind, "%s%s%s", why, complaints[i].advice ? ": " : "",
		       complaints[i].advice ? complaints[i].advice : "");
}

/* "scontrol: error: Invalid Priority value: x" without what is said of every error. */
static const char *skip_prefix(const char *why, const char *program)
{
	static const char error[] = ": error: ";
	size_t len = strlen(program);

	if (strncmp(why, program, len) == 0 && strncmp(why + len, error, sizeof(error) - 1) == 0)
		return why + len + sizeof(error) - 1;
	return why;
}

static int refuse_missing(const struct backend *backend, const char *program, struct err *err)
{
	if (site_is_remote(backend->site))
		return err_set(err, ERR_UNAVAILABLE,
			       "no %s on %s: is it a login node of Slurm, and is Slurm in the PATH "
			       "of commands that ssh runs there?",
			       program, backend->site->login);
	return err_set(err, ERR_UNAVAILABLE,
		       "no %s on this machine: install Slurm's commands, or use --backend local",
		       program);
}

static int check(struct child *child, const char *program, struct err *err)
{
	char why[BACKEND_REASON_MAX];

	if (child->status == 0)
		return 0;
	child_complaint(child, why, sizeof(why));
	return slurm_explain(why[0] ? skip_prefix(why, program) : program, err);
}

int slurm_run(const struct backend *backend, const char *const *argv, const char *const *env,
	      struct child *ret, struct err *err)
{
	const struct child_plan plan = { .argv = argv, .env = env, .timeout_ms = SLURM_TIMEOUT_MS };

	if (site_run(backend->site, &plan, ret, err) < 0) {
		if (err && err->kind == ERR_NOT_FOUND)
			return refuse_missing(backend, argv[0], err);
		return -1;
	}
	return check(ret, argv[0], err);
}

int slurm_follow(struct running *running, const char *program, const struct child_reader *reader,
		 struct child *ret, struct err *err)
{
	return child_follow(running, reader, ret, err) < 0 ? -1 : check(ret, program, err);
}

bool slurm_split(char *line, char **fields, int len)
{
	for (int i = 0; i < len; i++) {
		fields[i] = line;
		if (i == len - 1)
			return true;
		line = strchr(line, '|');
		if (!line)
			return false;
		*line++ = '\0';
	}
	return true;
}
