/* SPDX-License-Identifier: MIT */
/* berth-tunnel cp: files between this machine, jobs, and what else speaks SFTP. */
#include "cmd.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/log.h"
#include "tunnel/cmd/cp_progress.h"
#include "tunnel/cmd/cp_side.h"
#include "tunnel/sftp/copy.h"

#define PROGRESS_MS 200
/* After a signal: how long removing what is incomplete may take. */
#define STOP_MS 2000

struct args {
	struct cp_side_args from, to;
	bool recursive, preserve, resume, verify, quiet, verbose;
};

#define SIDE_OPTS(which, member)                                                              \
	OPT_STR(0, which "-client-file", struct args, member.client_file, "FILE",             \
		"the keys of the job to copy " which),                                        \
		OPT_STR(0, which "-endpoint", struct args, member.endpoint, "FILE",           \
			"where it listens"),                                                  \
		OPT_UINT(0, which "-rank", struct args, member.rank, "N", "its process (0)"), \
		OPT_STR(0, which "-name", struct args, member.name, "NAME",                   \
			"what to call it in messages (job)"),                                 \
		OPT_LIST(0, which "-refresh", struct args, member.refresh, "WORD",            \
			 "a program and its arguments, run when nobody answers there"),       \
		OPT_LIST(0, which "-through", struct args, member.through, "WORD",            \
			 "a program and its arguments, whose input and output lead there"),   \
		OPT_LIST(0, which "-command", struct args, member.command, "WORD",            \
			 "a word of a command that speaks SFTP, instead (repeatable)")

static const struct opt opts[] = {
	OPT_FLAG('r', "recursive", struct args, recursive, "copy directories with what is in them"),
	OPT_FLAG('p', "preserve", struct args, preserve, "keep permissions and times"),
	OPT_FLAG(0, "resume", struct args, resume,
		 "go on where an interrupted copy with --resume ended"),
	OPT_FLAG(0, "verify", struct args, verify,
		 "compare SHA-256 of both before a file gets its name"),
	OPT_FLAG('q', "quiet", struct args, quiet, "no progress, also on a terminal"),
	OPT_FLAG('v', "verbose", struct args, verbose, "say what the connection does"),
	SIDE_OPTS("from", from),
	SIDE_OPTS("to", to),
	OPT_END,
};

struct cp {
	const struct args *args;
	struct cp_side from, other;
	struct cp_side *to; /* from, where both are one place */
	struct copy *copy;
	struct cp_progress progress;
	uint64_t stop_by; /* ms; 0: not stopping */
};

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	caught = number;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The second one ends at once: whatever blocks may be what it is about. */
static void watch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaction(signals[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* "job-7:path", or the path alone here. */
static char *place_of(const struct cp_side_args *args, const char *path)
{
	if (cp_side_is_here(args))
		return str_dup(path);
	return str_printf("%s:%s", args->name ? args->name : "job", path);
}

static void complain(void *user, bool is_source, const char *path, const struct err *why)
{
	struct cp *cp = user;
	cleanup_free char *place = place_of(is_source ? &cp->args->from : &cp->args->to, path);

	cp_progress_clear(&cp->progress);
	cp_progress_say(place, why->text);
}

static void began(void *user, const char *path)
{
	struct cp *cp = user;

	cp_progress_name(&cp->progress, path);
}

static const struct copy_ops copy_ops = { complain, began };

static bool has_more(const struct cp_side *side)
{
	return side->busy || ((side->server || side->lost) && buf_len(&side->client.out) > 0);
}

static bool is_two(const struct cp *cp)
{
	return cp->to == &cp->other;
}

/* Both sides have their turn; waits unless one has more to do. */
static int turn(struct cp *cp, struct err *err)
{
	int wait = cp->progress.on ? PROGRESS_MS : cp->stop_by ? 50 : -1;
	struct pollfd fds[4];
	size_t len;

	if (cp_side_turn(&cp->from, err) < 0 || (is_two(cp) && cp_side_turn(&cp->other, err) < 0))
		return -1;
	if (cp->copy)
		copy_turn(cp->copy);
	if (has_more(&cp->from) || has_more(cp->to) || (cp->copy && copy_is_over(cp->copy)))
		return 0;
	/* Who asked for a path has its answer. */
	if (!cp->copy && cp->from.client.under_way == 0 && cp->to->client.under_way == 0)
		return 0;
	len = cp_side_wants(&cp->from, fds);
	len += is_two(cp) ? cp_side_wants(&cp->other, fds + len) : 0;
	if (poll(fds, len, wait) < 0 && errno != EINTR)
		return err_set_errno(err, errno, "poll");
	return 0;
}

/* Paths that only a side knows */

struct expansion {
	char **path;
	struct err why;
};

static void on_expanded(void *user, const struct sftp_answer *answer)
{
	struct expansion *e = user;
	struct span body = answer->body;
	struct sftp_name name;

	if (sftp_answer_check(answer, SFTP_TYPE_NAME, &e->why) < 0)
		return;
	if (!sftp_name_cut(&body, &name)) {
		err_set(&e->why, ERR_PROTOCOL, "no path");
		return;
	}
	free(*e->path);
	*e->path = str_dup_len((const char *)name.name.ptr, name.name.len);
}

static int ask_path(struct cp *cp, struct cp_side *side, enum sftp_op op, char **path,
		    struct err *err)
{
	struct sftp_request request = { .op = op, .path = span_of_str(*path) };
	struct expansion expansion = { .path = path };

	sftp_client_ask(&side->client, &request, on_expanded, &expansion);
	while (side->client.under_way > 0 && !caught) {
		if (turn(cp, err) < 0)
			return -1;
	}
	if (expansion.why.kind != ERR_NONE) {
		*err = expansion.why;
		return err_wrap(err, "%s", *path);
	}
	return 0;
}

/* A home in the job is known there. */
static int expand(struct cp *cp, struct cp_side *side, char **path, struct err *err)
{
	if ((*path)[0] != '~' || side->server)
		return 0;
	return ask_path(cp, side, SFTP_EXPAND_PATH, path, err);
}

/* A directory that is copied into itself has no end. What is not there is found out later. */
static int check_inside(struct cp *cp, const char *source, const char *target, struct err *err)
{
	cleanup_free char *from = str_dup(source), *to = str_dup(target);
	size_t len;

	if (ask_path(cp, &cp->from, SFTP_REALPATH, &from, NULL) < 0 ||
	    ask_path(cp, &cp->from, SFTP_REALPATH, &to, NULL) < 0)
		return 0;
	len = strlen(from);
	if (strncmp(from, to, len) != 0 || (to[len] != '/' && to[len] != '\0'))
		return 0;
	return err_set(err, ERR_INVALID, "'%s' lies in '%s'", target, source);
}

/* What is to be done */

struct paths {
	char **items; /* the sources, then the target */
	char **names; /* of the sources, in a target that is a directory */
	size_t len;
	bool from_input, to_output;
};

static void paths_finish(struct paths *paths)
{
	for (size_t i = 0; i < paths->len; i++) {
		free(paths->items[i]);
		free(paths->names[i]);
	}
	free(paths->items);
	free(paths->names);
}
DEFINE_CLEANUP_VALUE(struct paths, paths_finish)

static int check_streams(const struct args *args, const struct paths *paths, struct err *err)
{
	if (!paths->from_input && !paths->to_output)
		return 0;
	if (paths->len != 2)
		return err_set(err, ERR_INVALID, "'-' goes with one source and one target");
	if (args->recursive || args->preserve || args->resume || args->verify)
		return err_set(err, ERR_INVALID,
			       "'-' is one file without a name: -r, -p, --resume and --verify are "
			       "not for it");
	return 0;
}

/* "~" and "~user" have no name of their own: what is in them is copied. */
static char *name_of(const char *path)
{
	size_t len = strcspn(path, "/");

	return str_dup(path[0] == '~' && path[len + strspn(path + len, "/")] == '\0' ? "." : path);
}

static int take_paths(const struct args *args, int argc, char **argv, struct paths *ret,
		      struct err *err)
{
	bool from_here = cp_side_is_here(&args->from), to_here = cp_side_is_here(&args->to);

	ret->from_input = from_here && strcmp(argv[0], "-") == 0;
	ret->to_output = to_here && strcmp(argv[argc - 1], "-") == 0;
	ret->items = new_array(char *, (size_t)argc);
	ret->names = new_array(char *, (size_t)argc);
	for (ret->len = 0; ret->len < (size_t)argc; ret->len++) {
		const char *path = argv[ret->len];

		ret->items[ret->len] = str_dup(path[0] ? path : ".");
		ret->names[ret->len] = from_here ? str_dup(path) : name_of(path);
	}
	if (ret->from_input) {
		free(ret->items[0]);
		ret->items[0] = str_dup("/dev/stdin");
	}
	if (ret->to_output) {
		free(ret->items[ret->len - 1]);
		ret->items[ret->len - 1] = str_dup("/dev/stdout");
	}
	return check_streams(args, ret, err);
}

/* What is incomplete is removed, where there still is somebody to do it. */
static void stop(struct cp *cp)
{
	if (cp->stop_by)
		return;
	cp->stop_by = now_ms() + STOP_MS;
	copy_stop(cp->copy);
}

/* Until everything is copied or given up. */
static int copy_loop(struct cp *cp, struct err *err)
{
	struct err later = { 0 };
	int result = 0;

	while (!copy_is_over(cp->copy) && !(cp->stop_by && now_ms() >= cp->stop_by)) {
		if (turn(cp, result < 0 ? &later : err) < 0) {
			result = -1;
			stop(cp);
		}
		if (caught)
			stop(cp);
		cp_progress_show(&cp->progress, copy_totals(cp->copy), now_ms());
	}
	return result;
}

static int copy_all(struct cp *cp, struct paths *paths, struct err *err)
{
	const struct args *args = cp->args;
	struct copy_config config = {
		.options = { args->recursive, args->preserve, args->resume, args->verify },
		.from = &cp->from.client,
		.to = &cp->to->client,
		.sources = (const char *const *)paths->items,
		.names = (const char *const *)paths->names,
		.sources_len = paths->len - 1,
		.source_is_stream = paths->from_input,
		.target = paths->items[paths->len - 1],
		.target_is_stream = paths->to_output,
		.ops = &copy_ops,
		.user = cp,
	};

	for (size_t i = 0; i < paths->len; i++) {
		if (expand(cp, i + 1 < paths->len ? &cp->from : cp->to, &paths->items[i], err) < 0)
			return -1;
	}
	config.target = paths->items[paths->len - 1];
	for (size_t i = 0; args->recursive && !is_two(cp) && i + 1 < paths->len; i++) {
		if (check_inside(cp, paths->items[i], config.target, err) < 0)
			return -1;
	}
	cp->copy = copy_new(&config);
	return copy_loop(cp, err);
}

static int result_of(struct cp *cp)
{
	struct err first = { .kind = copy_totals(cp->copy)->first };

	if (caught)
		return 128 + caught;
	return first.kind == ERR_NONE ? 0 : err_exit_status(&first);
}

static int run(void *user, int argc, char **argv, struct err *err)
{
	cleanup(paths_finish) struct paths paths = { 0 };
	static struct cp cp;
	struct err why = { 0 };
	int result, from_status, to_status;

	cp.args = user;
	if (take_paths(cp.args, argc, argv, &paths, err) < 0)
		return -1;
	log_setup("berth-tunnel", STDERR_FILENO, LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
	watch_signals();
	cp_progress_init(&cp.progress, cp.args->quiet, now_ms());
	result = cp_side_open(&cp.from, &cp.args->from, cp.args->verbose, &why);
	cp.to = cp_side_is_same(&cp.args->from, &cp.args->to) ? &cp.from : &cp.other;
	if (is_two(&cp) &&
	    cp_side_open(&cp.other, &cp.args->to, cp.args->verbose, result < 0 ? NULL : &why) < 0)
		result = -1;
	if (result == 0)
		result = copy_all(&cp, &paths, &why);
	cp_progress_clear(&cp.progress);
	if (result == 0)
		result = result_of(&cp);
	copy_free(cp.copy);
	from_status = cp_side_close(&cp.from);
	to_status = is_two(&cp) ? cp_side_close(&cp.other) : 0;
	if (result >= 0)
		return result;
	if (why.kind == ERR_NONE && (from_status || to_status)) /* a child has said why */
		return from_status ? from_status : to_status;
	if (why.kind == ERR_NONE)
		err_set(&why, ERR_UNAVAILABLE, "the connection ended");
	*err = why;
	return -1;
}

const struct verb cmd_cp = {
	.name = "cp",
	.operands = "SOURCE... TARGET",
	.summary = "copy files into a job, out of it, or between jobs",
	.details =
		"Sources are in the job that --from-client-file names, otherwise here; the target likewise.\n"
		"'-' is standard input or output.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 2,
	.operands_max = -1,
	.run = run,
};
