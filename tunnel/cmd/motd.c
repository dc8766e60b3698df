/* SPDX-License-Identifier: MIT */
/*
 * berth-tunnel motd: greets whoever logs in on a terminal, and becomes the shell. `serve` starts
 * it; it is a program of its own so that a home directory or a job directory that does not answer
 * holds up one login and nothing else. Whatever fails here, the shell is started.
 */
#include "cmd.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/fs.h"
#include "init/base/text.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/jsonfile.h"
#include "tunnel/net/session_file.h"
#include "tunnel/services/motd.h"

#define MOTD_MAX 2048

struct args {
	const char *dir;
	uint64_t rank, ranks;
};

static const struct opt opts[] = {
	OPT_STR(0, "dir", struct args, dir, "DIR", "the job directory"),
	OPT_UINT(0, "rank", struct args, rank, "N", "which process of the job this is (0)"),
	OPT_UINT(0, "ranks", struct args, ranks, "COUNT", "as of serve"),
	OPT_END,
};

/* As login(1) has it. */
static bool is_hushed(void)
{
	const char *home = getenv("HOME");
	cleanup_free char *path = home ? fs_join(home, ".hushlogin") : NULL;

	return path && access(path, F_OK) == 0;
}

static void read_status(const struct args *args, const struct session_file *file, struct motd *motd)
{
	cleanup_free char *path =
		str_printf("%s/status.%u.json", args->dir, (unsigned int)args->rank);
	cleanup(buf_finish) struct buf text = BUF_INIT(JSONFILE_MAX);

	if (fs_read_file(path, JSONFILE_MAX, &text, NULL) < 0 ||
	    motd_read_status(buf_span(&text), file->time_limit_s, motd, NULL) < 0)
		motd->is_held = false;
}

static void greet(const struct args *args)
{
	cleanup_free char *path = fs_join(args->dir, "session.json");
	cleanup(session_file_finish) struct session_file file = { 0 };
	cleanup(buf_finish) struct buf text = BUF_INIT(MOTD_MAX);
	const char *end = getenv("SLURM_JOB_END_TIME");
	char host[256] = "";
	struct motd motd = {
		.slurm_id = getenv("SLURM_JOB_ID"),
		.rank = (unsigned int)args->rank,
		.ranks = (unsigned int)args->ranks,
		.now = clock_wall(),
		.host = host,
	};
	uint64_t seconds;

	if (session_file_read(path, &file, NULL) < 0)
		return;
	gethostname(host, sizeof(host) - 1);
	motd.job = file.job;
	motd.name = file.name;
	if (end && text_parse_uint(end, UINT32_MAX, &seconds))
		motd.ends = (double)seconds;
	read_status(args, &file, &motd);
	/* Nobody is left to tell when the terminal is gone. */
	if (motd_format(&motd, &text) && fd_write_all(STDOUT_FILENO, buf_span(&text), NULL) < 0)
		return;
}

static int run(void *user, int argc, char **argv, struct err *err)
{
	const struct args *args = user;
	char *shell[] = { argv[1], NULL };

	(void)argc;
	if (args->dir && args->rank <= UINT_MAX && args->ranks <= UINT_MAX && !is_hushed())
		greet(args);
	execv(argv[0], shell);
	return err_set_errno(err, errno, "%s", argv[0]);
}

const struct verb cmd_motd = {
	.name = "motd",
	.operands = "SHELL NAME",
	.summary = "greet on a terminal and become a shell, for serve",
	.opts = opts,
	.mode = OPT_STOP_AT_OPERAND,
	.args_size = sizeof(struct args),
	.operands_min = 2,
	.operands_max = 2,
	.run = run,
};
