/* SPDX-License-Identifier: MIT */
/* berth export: what another machine needs to enter a job, in one file. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "controller/cmd/cmd.h"
#include "controller/ops/export.h"
#include "controller/ops/export_file.h"
#include "controller/ops/jobs.h"
#include "init/base/fd.h"
#include "init/base/fs.h"

struct args {
	const char *workstation;
};

static const struct opt opts[] = {
	OPT_STR('w', "workstation", struct args, workstation, "NAME",
		"what 'berth keys' calls who has the file (exported)"),
	OPT_END,
};

static int write_out(const char *path, const struct buf *text, const struct job *job,
		     struct err *err)
{
	if (strcmp(path, "-") == 0)
		return fd_write_all(STDOUT_FILENO, buf_span(text), err);
	if (fs_create_file(path, buf_span(text), 0600, err) < 0)
		return -1;
	printf("%s\n", path);
	fprintf(stderr,
		"berth: %s holds a key: whoever has it gets into job-%" PRIu64
		"; 'berth keys revoke' takes that away\n",
		path, job->id);
	return 0;
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct args *args = opaque;
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(job_finish) struct job job = { 0 };
	cleanup(buf_wipe) struct buf text = BUF_INIT(EXPORT_FILE_MAX);
	cleanup_free char *path = NULL;

	if (controller_open(&c, err) < 0 || ops_find_text(c, argv[0], &job, err) < 0)
		return -1;
	path = argc > 1 ? str_dup(argv[1]) : str_printf("job-%" PRIu64 ".berth", job.id);
	if (strcmp(path, "-") == 0 && isatty(STDOUT_FILENO))
		return err_set(err, ERR_INVALID,
			       "a key is not shown on a terminal: name a file, or pipe it on");
	if (strcmp(path, "-") != 0 && fs_exists(path))
		return err_set(err, ERR_EXISTS, "%s is there already", path);
	if (ops_refresh_job(c, &job, err) < 0 ||
	    ops_export(c, &job, args->workstation, &text, err) < 0)
		return -1;
	return write_out(path, &text, &job, err);
}

const struct verb cmd_export = {
	.name = "export",
	.operands = "JOB [FILE]",
	.summary = "write what another machine needs to enter a job into a file",
	.details =
		"FILE is job-N.berth when it is not given; - is standard output, but no terminal.\n"
		"It holds a key of its own, which 'berth keys revoke -w NAME' takes away again.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 1,
	.operands_max = 2,
	.run = run,
};
