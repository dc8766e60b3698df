/* SPDX-License-Identifier: MIT */
/* Telling ssh of a job; see internal.h. */
#include <inttypes.h>

#include "controller/ops/internal.h"
#include "controller/ops/where.h"
#include "init/base/fs.h"

struct sshconf hosts_conf(struct controller *c, const struct job *job)
{
	struct sshconf sc = c->ssh;
	struct where where;

	/* A cluster that is not configured any more has jobs that can be entered all the same. */
	if (ops_choose(c, job->cluster, &where, NULL) < 0 || !where.settings)
		return sc;
	if (!sc.port)
		sc.port = config_text(c->config, where.settings, "ssh_port");
	if (sc.port)
		sc.user = config_text(c->config, where.settings, "user");
	return sc;
}

/* The job does not depend on ssh's configuration: what is wrong with it is told, and it runs. */
void hosts_add_job(struct controller *c, const struct job *job, struct notes *notes)
{
	cleanup_free char *why = NULL;
	const struct sshconf sc = hosts_conf(c, job);
	struct err err;
	int result = sshconf_include(&sc, &why, &err);

	if (result == 0)
		notes_add(notes,
			  "ssh does not know job-%" PRIu64
			  ": %s; put the line '%s' at the top of %s, or "
			  "use 'berth ssh job-%" PRIu64 "'",
			  job->id, why, SSHCONF_INCLUDE, sc.config, job->id);
	else if (result < 0)
		notes_add(notes, "ssh does not know job-%" PRIu64 ", 'berth ssh' does: %s", job->id,
			  err.text);
	if (result >= 0 && fs_exists(sc.jobs_dir) && sshconf_add_job(&sc, job, &err) < 0)
		notes_add(notes, "ssh does not know job-%" PRIu64 ", 'berth ssh' does: %s", job->id,
			  err.text);
}
