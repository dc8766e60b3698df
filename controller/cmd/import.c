/* SPDX-License-Identifier: MIT */
/* berth import: enters a job by what `berth export` wrote elsewhere. */
#include <inttypes.h>

#include "controller/cmd/cmd.h"
#include "controller/ops/export.h"
#include "controller/ops/export_file.h"

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(notes_finish) struct notes notes = { 0 };
	cleanup(job_finish) struct job job = { 0 };
	cleanup(buf_wipe) struct buf text = BUF_INIT(EXPORT_FILE_MAX);
	int result;

	(void)opaque, (void)argc;
	if (ops_read_export(argv[0], &text, err) < 0 || controller_open(&c, err) < 0)
		return -1;
	result = ops_import(c, buf_span(&text), &job, &notes, err);
	cmd_show_notes(&notes);
	if (result < 0)
		return err_wrap(err, "%s", argv[0]);
	printf("job-%" PRIu64 "\n", job.id);
	return 0;
}

const struct verb cmd_import = {
	.name = "import",
	.operands = "FILE",
	.summary = "enter a job by a file of 'berth export'",
	.details = "FILE must be yours and readable by nobody else; - is standard input.",
	.mode = OPT_PERMUTE,
	.operands_min = 1,
	.operands_max = 1,
	.run = run,
};
