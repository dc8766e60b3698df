/* SPDX-License-Identifier: MIT */
/* Our own command line; see plan.h. */
#include "plan.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/cleanup.h"
#include "init/base/fs.h"
#include "init/base/indices.h"
#include "init/base/opt.h"
#include "init/base/text.h"
#include "install.h"

#define RANK_UNSET UINT64_MAX
#define HOST_SIZE 256

struct args {
	const char *dir, *tunnel, *hold, *parent_death, *indices, *hosts;
	uint64_t rank, ranks, grace, limit, verbose;
	bool no_tunnel, single_child, subreaper, warn_on_reap, marked, help, version;
	struct opt_list remap, rewrite, install;
};

static const struct opt opts[] = {
	OPT_STR('d', "dir", struct args, dir, "DIR",
		"job directory: keeps the status, and has the tunnel started"),
	OPT_UINT('r', "rank", struct args, rank, "N",
		 "rank in the job (default: SLURM_PROCID, BERTH_RANK, 0)"),
	OPT_UINT(0, "ranks", struct args, ranks, "COUNT",
		 "--rank is the task of an array, which has so many: SLURM_PROCID is which"),
	OPT_STR(0, "indices", struct args, indices, "LIST",
		"the rank is that of these which the one given counts to, such as 1-9:2"),
	OPT_STR(0, "hosts", struct args, hosts, "PATTERN",
		"with --indices and --ranks: the name of each, with # for its number"),
	OPT_STR(0, "tunnel", struct args, tunnel, "PATH",
		"the tunnel (default: berth-tunnel beside this program)"),
	OPT_FLAG(0, "no-tunnel", struct args, no_tunnel, "start no tunnel"),
	OPT_DURATION('g', "grace", struct args, grace, "DURATION",
		     "time to end for what the command leaves behind (default: 5s)"),
	OPT_DURATION(0, "limit", struct args, limit, "DURATION",
		     "end the command after that long: SIGTERM, 10s later SIGKILL"),
	OPT_STR(0, "hold", struct args, hold, "DURATION[,on-failure]",
		"keep the job that long after the command's end"),
	OPT_LIST(0, "rewrite", struct args, rewrite, "FROM:TO",
		 "pass signal FROM on as TO, 0 for not at all (repeatable)"),
	OPT_FLAG(0, "single-child", struct args, single_child,
		 "pass signals on to the command alone, not to its group"),
	OPT_LIST(0, "remap-exit", struct args, remap, "CODE[:TO]",
		 "exit with TO (default: 0) when the command does with CODE (repeatable)"),
	OPT_STR(0, "parent-death", struct args, parent_death, "SIGNAL",
		"get this signal when the parent dies"),
	OPT_FLAG(0, "subreaper", struct args, subreaper,
		 "adopt orphans also where this is not PID 1 (the default)"),
	OPT_FLAG(0, "marked", struct args, marked,
		 "each word of the command begins with a + that is not its own"),
	OPT_FLAG(0, "warn-on-reap", struct args, warn_on_reap, "tell of each orphan that ended"),
	OPT_LIST(0, "install", struct args, install, "FROM:TO:MODE",
		 "copy a directory's files, then end or become COMMAND (repeatable)"),
	OPT_COUNT('v', "verbose", struct args, verbose,
		  "tell on standard error what happens (-vv: more, -vvv: all)"),
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

static int choose_rank(const struct args *args, unsigned int *ret, struct err *err)
{
	const char *text = getenv("SLURM_PROCID");
	/* The number that stands for a task of an array stands for its rank, too. */
	uint64_t ranks = args->indices ? 1 : MAX(args->ranks, UINT64_C(1)), rank = 0, first = 0;

	if (args->rank != RANK_UNSET) {
		if (args->rank >= INT_MAX / ranks)
			return err_set(err, ERR_INVALID, "--rank: ranks are below %d", INT_MAX);
		first = args->rank * ranks;
	}
	if (!text)
		text = getenv("BERTH_RANK");
	if ((args->rank == RANK_UNSET || ranks > 1) && text &&
	    !text_parse_uint(text, ranks > 1 ? ranks - 1 : INT_MAX, &rank))
		rank = 0;
	*ret = (unsigned int)(first + rank);
	return 0;
}

static int tell(const char *name, uint64_t number, struct err *err)
{
	char text[PLAN_NUMBER_SIZE];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	return setenv(name, text, 1) < 0 ? err_set_errno(err, errno, "the environment") : 0;
}

/* Where the first rank of the task is: under the pattern's name, with its number for the #. */
static int tell_host(const char *pattern, unsigned int number, struct err *err)
{
	const char *hash = strchr(pattern, '#');
	char name[HOST_SIZE];

	if (!hash || snprintf(name, sizeof(name), "%.*s%u%s", (int)(hash - pattern), pattern,
			      number, hash + 1) >= (int)sizeof(name))
		return err_set(err, ERR_INVALID, "--hosts: '%.80s' is no name with a # in it",
			       pattern);
	return setenv("BERTH_FIRST_HOST", name, 1) < 0
		       ? err_set_errno(err, errno, "the environment")
		       : 0;
}

/*
 * Where tasks are numbered from 0 without gaps and those of the array are not, or have several
 * ranks each that are numbered in a row, the number stands for a task and a rank; what runs is told
 * which.
 */
static int choose_task(const struct args *args, unsigned int *rank, struct err *err)
{
	uint64_t ranks = MAX(args->ranks, UINT64_C(1)), of_task = *rank % ranks, task = 0, whole;

	if (!indices_are_valid(args->indices))
		return err_set(err, ERR_INVALID, "--indices: '%.80s' is no list, such as 1-9:2",
			       args->indices);
	if (!indices_nth(args->indices, *rank / ranks, &task))
		return err_set(err, ERR_INVALID, "--indices: '%.80s' has no %u after the first",
			       args->indices, (unsigned int)(*rank / ranks));
	whole = task * ranks + of_task;
	if (ranks > INT_MAX || whole > INT_MAX)
		return err_set(err, ERR_INVALID, "--ranks: ranks are below %d", INT_MAX);
	if (tell("SLURM_ARRAY_TASK_ID", task, err) < 0 || tell("BERTH_RANK", whole, err) < 0 ||
	    (ranks > 1 && tell("SLURM_PROCID", of_task, err) < 0) ||
	    (args->hosts && tell_host(args->hosts, *rank - (unsigned int)of_task, err) < 0))
		return -1;
	*rank = (unsigned int)whole;
	return 0;
}

static char *make_absolute(const char *path, struct err *err)
{
	static char here[PATH_MAX];

	if (strlen(path) >= PATH_MAX) {
		err_set(err, ERR_INVALID, "'%.40s...' is longer than a path can be", path);
		return NULL;
	}
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
	/* Not on the stack, where all of it would be cleared, and stay. */
	static char self[PATH_MAX];
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
		    pid_opt[] = "--pid", ranks_opt[] = "--ranks";

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
	if (args->ranks > 1) {
		plan->tunnel_argv[8] = ranks_opt;
		plan->tunnel_argv[9] = plan->ranks_arg;
	}
	snprintf(plan->ranks_arg, sizeof(plan->ranks_arg), "%u", (unsigned int)args->ranks);
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
	plan->endpoint_path = str_printf("%s/endpoint.%u.json", plan->dir, plan->rank);
	return args->no_tunnel ? 0 : plan_tunnel(args, plan, err);
}

static int plan_signals(const struct args *args, struct plan *plan, struct err *err)
{
	for (size_t i = 0; i < args->rewrite.len; i++) {
		if (!forward_parse_rewrite(args->rewrite.items[i], &plan->rules))
			return err_set(err, ERR_INVALID,
				       "--rewrite: '%s' is not FROM:TO, such as TERM:INT or 1:0",
				       args->rewrite.items[i]);
	}
	if (args->parent_death && !signo_parse(args->parent_death, &plan->parent_death))
		return err_set(err, ERR_INVALID,
			       "--parent-death: '%s' is not a signal, such as TERM or 15",
			       args->parent_death);
	plan->rules.single_child = args->single_child;
	plan->has_witness = getenv("SLURM_JOB_ID") != NULL;
	return 0;
}

static int plan_end(const struct args *args, struct plan *plan, struct err *err)
{
	if (args->hold && !hold_parse(args->hold, &plan->hold))
		return err_set(err, ERR_INVALID,
			       "--hold: '%s' is not a duration, such as 30m or 30m,on-failure",
			       args->hold);
	for (size_t i = 0; i < args->remap.len; i++) {
		if (!plan_parse_remap(args->remap.items[i], plan))
			return err_set(err, ERR_INVALID,
				       "--remap-exit: '%s' is not CODE[:TO], such as 143 or 3:1",
				       args->remap.items[i]);
	}
	plan->grace_ns = args->grace;
	plan->limit_ns = args->limit;
	return 0;
}

static int unmark(char **words, int len, struct err *err)
{
	for (int i = 0; i < len; i++) {
		if (*words[i]++ != '+')
			return err_set(err, ERR_INVALID, "--marked: '%.80s' begins with no +",
				       words[i] - 1);
	}
	return 0;
}

static enum plan_talk choose_talk(const struct args *args)
{
	if (args->verbose > 0)
		return (enum plan_talk)MIN(TALK_WARNINGS + args->verbose, (uint64_t)TALK_ALL);
	return args->warn_on_reap ? TALK_WARNINGS : TALK_NONE;
}

/*
 * The whole work of an init container. Where there are none, the same program is what comes after
 * it, from where it was installed: nothing of this is left in the memory of the first process then.
 */
static int install_all(const struct opt_list *list, int operands, struct err *err)
{
	for (size_t i = 0; i < list->len; i++) {
		if (install(list->items[i], err) < 0)
			return -1;
	}
	return operands > 0 ? PLAN_BECOME : PLAN_DONE;
}

static int make(int argc, char **argv, struct plan *plan, struct err *err)
{
	static struct args args;
	int operands;

	/* What is long and not used is not touched either: that would be a page of memory. */
	memset(&args, 0, offsetof(struct args, remap));
	args.remap.len = args.rewrite.len = args.install.len = 0;
	args.rank = RANK_UNSET;
	args.grace = plan->grace_ns;
	args.subreaper = true;
	operands = opt_parse(opts, OPT_STOP_AT_OPERAND, argc, argv, &args, err);
	if (operands < 0)
		return -1;
	if (args.help)
		print_help();
	else if (args.version)
		printf("berth-init %s\n", BERTH_VERSION);
	if (args.help || args.version)
		return PLAN_DONE;
	if (args.install.len > 0)
		return install_all(&args.install, operands, err);
	if (operands == 0)
		return err_set(err, ERR_INVALID, "which command? See --help");
	if (choose_rank(&args, &plan->rank, err) < 0 ||
	    (args.indices && choose_task(&args, &plan->rank, err) < 0))
		return -1;
	plan->subreaper = args.subreaper;
	plan->warn_on_reap = args.warn_on_reap;
	plan->talk = choose_talk(&args);
	if (args.marked && unmark(argv, operands, err) < 0)
		return -1;
	if (plan_signals(&args, plan, err) < 0 || plan_end(&args, plan, err) < 0)
		return -1;
	return plan_dir(&args, plan, err) < 0 ? -1 : PLAN_RUN;
}

const struct personality personality_berth = {
	.names = (const char *const[]){ "berth-init", NULL },
	.name = "berth-init",
	.failure = { "berth-init: cannot run '", "': ", COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE },
	.make = make,
};
