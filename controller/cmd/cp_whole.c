/* SPDX-License-Identifier: MIT */
/* Copies to and from a place that carries whole files; see cp.h. */
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controller/cmd/cp.h"
#include "controller/files/copy.h"
#include "controller/output/table.h"
#include "init/base/alloc.h"

#define SHOW_MS 200
#define NAME_MAX_SHOWN 40

/* The line on standard error. */
struct showing {
	bool on;
	bool is_shown;
	char name[NAME_MAX_SHOWN + 1];
	const char *from, *to; /* places; "" is this machine */
	uint64_t size, moved, begun_ms, shown_ms;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / NSEC_PER_MSEC;
}

static void clear(struct showing *s)
{
	if (s->is_shown)
		fprintf(stderr, "\r\033[K");
	s->is_shown = false;
}

static void show(struct showing *s)
{
	uint64_t now = now_ms(), took = MAX(now - s->begun_ms, UINT64_C(1));

	if (!s->on || now - s->shown_ms < SHOW_MS)
		return;
	s->shown_ms = now;
	s->is_shown = true;
	fprintf(stderr, "\r\033[K%s  %3" PRIu64 " %%  %.1f MB  %.1f MB/s", s->name,
		s->size ? MIN(s->moved, s->size) * 100 / s->size : 100, (double)s->moved / 1e6,
		(double)s->moved / 1e3 / (double)took);
}

static void began(void *user, const char *path, uint64_t size)
{
	struct showing *s = user;
	const char *slash = strrchr(path, '/');

	snprintf(s->name, sizeof(s->name), "%s", slash && slash[1] ? slash + 1 : path);
	table_make_safe(s->name);
	s->size = size;
	s->moved = 0;
	s->begun_ms = now_ms();
	show(s);
}

static void moved(void *user, uint64_t bytes)
{
	struct showing *s = user;

	s->moved = bytes;
	show(s);
}

static void complain(void *user, const char *path, bool is_source, const struct err *why)
{
	struct showing *s = user;
	const char *place = is_source ? s->from : s->to;
	cleanup_free char *safe = str_dup(path);

	table_make_safe(safe);
	clear(s);
	fprintf(stderr, "berth: %s%s%s: %s\n", place, place[0] ? ":" : "", safe, why->text);
}

/* What a signal must not leave behind. */
static char part_path[PATH_MAX];

static void part(void *user, const char *path)
{
	(void)user;
	snprintf(part_path, sizeof(part_path), "%s", path ? path : "");
}

static void on_signal(int number)
{
	if (part_path[0] != '\0')
		unlink(part_path);
	_exit(128 + number);
}

static void watch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	const struct sigaction action = { .sa_handler = on_signal };

	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaction(signals[i], &action, NULL);
}

static const struct fs_copy_ops copy_ops = { complain, began, moved, part };

static int check(int argc, char **argv, struct err *err)
{
	if (strcmp(argv[0], "-") == 0 || strcmp(argv[argc - 1], "-") == 0)
		return err_set(err, ERR_UNSUPPORTED, "'-' has no length: FirecREST carries files");
	return 0;
}

int cp_whole(struct controller *c, const struct cp_args *args, const struct files_way *from,
	     const struct files_way *to, int argc, char **argv, struct err *err)
{
	const struct files_plan plan = { .wait_ns = cmd_wait_ns(args->wait_ns),
					 .carry_ns = args->wait_ns,
					 .progress = cmd_progress() };
	cleanup_free char *from_name = str_dup_len(argv[0], files_place_len(argv[0]));
	cleanup_free char *to_name = str_dup_len(argv[argc - 1], files_place_len(argv[argc - 1]));
	struct showing showing = { .on = !args->quiet && isatty(STDERR_FILENO),
				   .from = from_name,
				   .to = to_name };
	cleanup(files_close) struct files *source = NULL, *target = NULL;
	cleanup(argv_finish) struct argv paths = { 0 };
	cleanup_free char *journals = ops_files_journals(c);
	struct fs_copy copy = {
		.recursive = args->recursive,
		.preserve = args->preserve,
		.resume = args->resume,
		.verify = args->verify,
		.len = (size_t)argc - 1,
		.journals = journals,
		.ops = &copy_ops,
		.user = &showing,
	};
	int result;

	if (check(argc, argv, err) < 0 ||
	    (!from->is_here && ops_files_open(c, &plan, argv[0], &source, err) < 0))
		return -1;
	/* One connection does for both sides of one place. */
	if (!to->is_here && !files_same_place(argv[0], argv[argc - 1]) &&
	    ops_files_open(c, &plan, argv[argc - 1], &target, err) < 0)
		return -1;
	for (int i = 0; i < argc; i++) {
		cleanup_free char *path = files_way_path(i + 1 < argc ? from : to, argv[i]);

		argv_add(&paths, path);
	}
	copy.from = source ? source->fs : NULL;
	copy.to = target ? target->fs : to->is_here ? NULL : copy.from;
	copy.sources = argv_words(&paths);
	copy.target = paths.items[argc - 1];
	watch_signals();
	result = fs_copy(&copy, err);
	clear(&showing);
	/* Each failure was told with its name. */
	return result > 0 && err ? err_exit_status(err) : result;
}
