/* SPDX-License-Identifier: MIT */
/* Files of a job of Slurm; see files.h. */
#include "files.h"

#include "controller/backends/launch/launcher.h"
#include "controller/backends/slurm/submit.h"
#include "init/base/fs.h"

char *slurm_script_path(const struct job *job)
{
	return fs_join(job->directory, "script.sh");
}

static int put_script(struct site *site, const struct submission *submission, struct err *err)
{
	cleanup(buf_finish) struct buf script = BUF_INIT(SLURM_SCRIPT_MAX);
	cleanup_free char *path = slurm_script_path(submission->job);

	if (slurm_write_script(submission, &script, err) < 0)
		return -1;
	return site_write(site, path, buf_span(&script), 0700, err);
}

/* What the launcher reads, if it reads anything. */
static int put_container(struct site *site, const struct submission *submission, struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(LAUNCHER_FILE_MAX);
	cleanup_free char *path = NULL;
	const struct launcher *launcher;

	if (launcher_choose(submission->spec, &launcher, err) < 0)
		return -1;
	path = launcher_file(launcher, submission);
	if (!path)
		return 0;
	if (launcher_render(launcher, submission, &text, err) < 0)
		return -1;
	return site_write(site, path, buf_span(&text), 0600, err);
}

int slurm_put_files(struct site *site, const struct submission *submission, struct err *err)
{
	if (put_script(site, submission, err) < 0 || put_container(site, submission, err) < 0)
		return -1;
	return site_need(site, submission->bundle, err);
}
