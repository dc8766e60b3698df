/* SPDX-License-Identifier: MIT */
/* berth checksum: SHA-256 of files, computed where they are. */
#include <stdio.h>
#include <string.h>

#include "controller/cmd/files.h"
#include "controller/output/files.h"
#include "controller/output/output.h"

struct args {
	struct files_args files;
};

static const struct opt opts[] = { FILES_OPTS(struct args, files), OPT_END };

/* Lines that `sha256sum --check` reads, where names have no newline and no backslash. */
static int print(void *arg, const struct files_visit *visit, struct err *err)
{
	const struct files_output *how = arg;
	char digest[FS_DIGEST_SIZE];

	if (fs_checksum(visit->files->fs, visit->path, digest, err) < 0)
		return -1;
	printf("%s  ", digest);
	output_file_name(visit->path, "", how);
	return 0;
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	struct args *args = opaque;
	struct output output;
	struct files_output how = { .output = &output,
				    .on_terminal = isatty(STDOUT_FILENO),
				    .end = '\n' };

	if (cmd_files_output(NULL, &output, err) < 0 ||
	    cmd_files_each(&args->files, argc, argv, print, &how, err) < 0)
		return -1;
	return output_end(&output, err);
}

const struct verb cmd_checksum = {
	.name = "checksum",
	.operands = "PLACE:PATH...",
	.summary = "print SHA-256 of files of a cluster or in a job",
	.details = FILES_DETAILS,
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 1,
	.operands_max = -1,
	.run = run,
};
