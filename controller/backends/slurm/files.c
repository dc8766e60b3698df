/* SPDX-License-Identifier: MIT */
/* Files of a job of Slurm; see files.h. */
#include "files.h"

#include "controller/backends/jobdir.h"
#include "controller/backends/launch/launcher.h"
#include "controller/backends/slurm/submit.h"
#include "init/base/fs.h"

char *slurm_script_path(const struct job *job)
{
	return fs_join(job->directory, JOBDIR_SCRIPT);
}

int slurm_put_script(struct site *site, const struct submission *submission, struct err *err)
{
	cleanup(buf_finish) struct buf script = BUF_INIT(SLURM_SCRIPT_MAX);
	cleanup_free char *path = slurm_script_path(submission->job);

	if (slurm_write_script(submission, &script, err) < 0)
		return -1;
	return site_write(site, path, buf_span(&script), 0700, err);
}

int slurm_put_files(struct site *site, const struct submission *submission, struct err *err)
{
	if (launcher_write_file(submission, site, err) < 0)
		return -1;
	return site_need(site, submission->bundle, err);
}
