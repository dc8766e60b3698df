/* SPDX-License-Identifier: MIT */
/* From the command line to a plan; see plan.h. */
#include "plan.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/cleanup.h"
#include "init/base/fs.h"
#include "init/base/opt.h"
#include "init/base/text.h"

#define GRACE_DEFAULT (5 * NSEC_PER_SEC)
#define RANK_UNSET UINT64_MAX

struct args {
	const char *dir, *tunnel;
	uint64_t rank, grace;
	bool no_tunnel, verbose, help, version;
};

static const struct opt opts[] = {
	OPT_STR('d', "dir", struct args, dir, "DIR",
		"job directory: keeps the status, and has the tunnel started"),
	OPT_UINT('r', "rank", struct args, rank, "N", "rank in the job (default: SLURM_PROCID, 0)"),
	OPT_STR(0, "tunnel", struct args, tunnel, "PATH",
		"the tunnel (default: berth-tunnel beside this program)"),
	OPT_FLAG(0, "no-tunnel", struct args, no_tunnel, "start no tunnel"),
	OPT_DURATION('g', "grace", struct args, grace, "DURATION",
		     "time to end for what the command leaves behind (default: 5s)"),
	OPT_FLAG('v', "verbose", struct args, verbose, "tell on standard error what happens"),
	OPT_FLAG('h', "help", struct args, help, "show this"),
	OPT_FLAG(0, "version", struct args, version, "show the version"),
	OPT_END,
};

static void print_help(void)
{
	printf("berth-init: runs a command as the first process of a job\n\n"
	       "usage: berth-init [options] [--] COMMAND [ARG...]\n\noptions:\n");
	opt_print_help(opts, stdout);
}

static unsigned int choose_rank(uint64_t given)
{
	const char *text = getenv("SLURM_PROCID");
	uint64_t rank = 0;

	if (given != RANK_UNSET)
		return (unsigned int)given;
	if (text && !text_parse_uint(text, INT_MAX, &rank))
		rank = 0;
	return (unsigned int)rank;
}

static char *make_absolute(const char *path, struct err *err)
{
	char here[PATH_MAX];

	if (path[0] == '/')
		return str_dup(path);
	if (!getcwd(here, sizeof(here))) {
		err_set_errno(err, errno, "'%s' is relative, and where we are is unknown", path);
		return NULL;
	}
	return fs_join(here, path);
}

/* The named program in the folder of our own; NULL when that is unknown. */
static char *find_beside(const char *name)
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (len > 0) {
		self[len] = '\0';
	} else {
		/* Without /proc, the kernel has still told under which path it started us. */
		const char *started_as = (const char *)getauxval(AT_EXECFN);
		cleanup_free char *path = started_as ? make_absolute(started_as, NULL) : NULL;

		snprintf(self, sizeof(self), "%s", path ? path : "");
	}
	slash = strrchr(self, '/');
	if (!slash)
		return NULL;
	*slash = '\0';
	return fs_join(self, name);
}

static int plan_tunnel(const struct args *args, struct plan *plan, struct err *err)
{
	static char serve[] = "serve", dir_opt[] = "--dir", rank_opt[] = "--rank",
		    pid_opt[] = "--pid";

	plan->tunnel_path =
		args->tunnel ? make_absolute(args->tunnel, err) : find_beside("berth-tunnel");
	/* Asked for by name it has to be findable; a default that is not is no tunnel. */
	if (!plan->tunnel_path)
		return args->tunnel ? -1 : 0;
	plan->tunnel_argv[0] = plan->tunnel_path;
	plan->tunnel_argv[1] = serve;
	plan->tunnel_argv[2] = dir_opt;
	plan->tunnel_argv[3] = plan->dir;
	plan->tunnel_argv[4] = rank_opt;
	plan->tunnel_argv[5] = plan->rank_arg;
	plan->tunnel_argv[6] = pid_opt;
	plan->tunnel_argv[7] = plan->pid_arg;
	snprintf(plan->rank_arg, sizeof(plan->rank_arg), "%u", plan->rank);
	plan->tunnel_log = str_printf("%s/tunnel.%u.log", plan->dir, plan->rank);
	return 0;
}

static int plan_dir(const struct args *args, struct plan *plan, struct err *err)
{
	if (!args->dir)
		return 0;
	plan->dir = make_absolute(args->dir, err);
	if (!plan->dir)
		return -1;
	plan->status_path = str_printf("%s/status.%u.json", plan->dir, plan->rank);
	return args->no_tunnel ? 0 : plan_tunnel(args, plan, err);
}

int plan_make(int argc, char **argv, struct plan *plan, struct err *err)
{
	struct args args = { .rank = RANK_UNSET, .grace = GRACE_DEFAULT };
	int operands = opt_parse(opts, OPT_STOP_AT_OPERAND, argc, argv, &args, err);

	if (operands < 0)
		return -1;
	if (args.help)
		print_help();
	else if (args.version)
		printf("berth-init %s\n", BERTH_VERSION);
	if (args.help || args.version)
		return PLAN_DONE;
	if (operands == 0)
		return err_set(err, ERR_INVALID, "which command? See --help");
	if (args.rank != RANK_UNSET && args.rank > INT_MAX)
		return err_set(err, ERR_INVALID, "--rank: at most %d", INT_MAX);
	/* The operands are at the front of an array that has held our own name too. */
	plan->command = argv;
	plan->grace_ns = args.grace;
	plan->rank = choose_rank(args.rank);
	plan->verbose = args.verbose;
	return plan_dir(&args, plan, err) < 0 ? -1 : PLAN_RUN;
}

void plan_finish(struct plan *plan)
{
	free(plan->dir);
	free(plan->status_path);
	free(plan->tunnel_path);
	free(plan->tunnel_log);
	*plan = (struct plan){ 0 };
}
