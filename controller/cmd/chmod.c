/* SPDX-License-Identifier: MIT */
/* berth chmod: permissions of files. */
#include <string.h>

#include "controller/cmd/files.h"

#define MODE_MAX 07777U

struct args {
	struct files_args files;
};

static const struct opt opts[] = { FILES_OPTS(struct args, files), OPT_END };

/* Octal, one to four digits. */
static int parse_mode(const char *text, uint32_t *ret, struct err *err)
{
	size_t len = strlen(text);
	uint32_t mode = 0;

	for (size_t i = 0; i < len && i < 4; i++)
		mode = mode << 3 | (uint32_t)(text[i] - '0');
	if (len == 0 || len > 4 || text[strspn(text, "01234567")] != '\0' || mode > MODE_MAX)
		return err_set(err, ERR_INVALID, "'%.40s' is no mode: write it like 644 or 0755",
			       text);
	*ret = mode;
	return 0;
}

static int change(void *arg, const struct files_visit *visit, struct err *err)
{
	const uint32_t *mode = arg;

	return fs_chmod(visit->files->fs, visit->path, *mode, err);
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	struct args *args = opaque;
	uint32_t mode;

	if (parse_mode(argv[0], &mode, err) < 0)
		return -1;
	return cmd_files_each(&args->files, argc - 1, argv + 1, change, &mode, err);
}

const struct verb cmd_chmod = {
	.name = "chmod",
	.operands = "MODE PLACE:PATH...",
	.summary = "set permissions of files of a cluster or in a job",
	.details = FILES_DETAILS "\nMODE is octal: 644, 0755.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 2,
	.operands_max = -1,
	.run = run,
};
