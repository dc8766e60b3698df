/* SPDX-License-Identifier: MIT */
/* Telling ssh of a job; see internal.h. */
#include <inttypes.h>

#include "controller/ops/internal.h"
#include "init/base/fs.h"

/* The job does not depend on ssh's configuration: what is wrong with it is told, and it runs. */
void hosts_add_job(struct controller *c, const struct job *job, struct notes *notes)
{
	cleanup_free char *why = NULL;
	struct err err;
	int result = sshconf_include(&c->ssh, &why, &err);

	if (result == 0)
		notes_add(notes,
			  "ssh does not know job-%" PRIu64
			  ": %s; put the line '%s' at the top of %s, or "
			  "use 'berth ssh job-%" PRIu64 "'",
			  job->id, why, SSHCONF_INCLUDE, c->ssh.config, job->id);
	else if (result < 0)
		notes_add(notes, "ssh does not know job-%" PRIu64 ", 'berth ssh' does: %s", job->id,
			  err.text);
	if (result >= 0 && fs_exists(c->ssh.jobs_dir) && sshconf_add_job(&c->ssh, job, &err) < 0)
		notes_add(notes, "ssh does not know job-%" PRIu64 ", 'berth ssh' does: %s", job->id,
			  err.text);
}
