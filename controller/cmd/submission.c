/* SPDX-License-Identifier: MIT */
/* A specification becomes a job; see submission.h. */
#include "submission.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "controller/ops/fetch.h"
#include "controller/ops/jobs.h"
#include "controller/ops/submit.h"
#include "controller/ops/where.h"
#include "controller/output/progress.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

/* An existing directory as an absolute path. */
static int absolute(const char *option, const char *path, char out[PATH_MAX], struct err *err)
{
	if (!realpath(path, out))
		return err_set_errno(err, errno, "%s: %s", option, path);
	return 0;
}

static int choose_directories(struct spec *spec, char workdir[PATH_MAX], char image[PATH_MAX],
			      struct err *err)
{
	if (spec->image) {
		/* Inside an image, the working directory is one of the image. */
		if (absolute("--image", spec->image, image, err) < 0)
			return -1;
		spec->image = image;
		spec->workdir = spec->workdir ? spec->workdir : "/";
		return 0;
	}
	if (absolute("--workdir", spec->workdir ? spec->workdir : ".", workdir, err) < 0)
		return -1;
	spec->workdir = workdir;
	return 0;
}

/* A file of this machine; what looks like a name of a registry is one. */
static int choose_file(const char *option, const char **file, char out[PATH_MAX], struct err *err)
{
	const char *name = *file;
	const char *dot = name ? strrchr(name, '.') : NULL;
	bool is_file = dot && (strcmp(dot, ".sif") == 0 || strcmp(dot, ".sqsh") == 0 ||
			       strcmp(dot, ".toml") == 0);

	if (!name || strstr(name, "://") || fetch_is_elsewhere(name) ||
	    (name[0] != '/' && name[0] != '.' && !is_file))
		return 0;
	if (absolute(option, name, out, err) < 0)
		return -1;
	*file = out;
	return 0;
}

/* The working directory is one of the container then. */
static int choose_container(struct spec *spec, char image[PATH_MAX], char edf[PATH_MAX],
			    struct err *err)
{
	if (choose_file("--image", &spec->image, image, err) < 0 ||
	    choose_file("--edf", &spec->edf, edf, err) < 0)
		return -1;
	spec->workdir = spec->workdir ? spec->workdir : "/";
	return 0;
}

/* Elsewhere it is the home directory unless another one is named. */
static int check_workdir(const struct spec *spec, struct err *err)
{
	if (spec->workdir && spec->workdir[0] != '/')
		return err_set(err, ERR_INVALID,
			       "--workdir: '%s' is not an absolute path on the cluster",
			       spec->workdir);
	return 0;
}

static void show(const struct cmd_submission *how, const struct job *job)
{
	if (how->quiet) {
		printf("job-%" PRIu64 "\n", job->id);
		return;
	}
	printf("job-%" PRIu64 " is %s on %s", job->id, job_state_word(job->state), job->cluster);
	if (!job_state_is_ended(job->state))
		printf("; enter it with: ssh job-%" PRIu64, job->id);
	putchar('\n');
}

static bool is_waiting(const struct job *job)
{
	return job->state == JOB_DEFINED || job->state == JOB_QUEUED || job->state == JOB_STARTING;
}

static int wait_until_it_runs(struct controller *c, struct job *job, struct err *err)
{
	while (is_waiting(job)) {
		struct job_list one = { .items = job, .len = 1 };

		if (ops_refresh_patiently(c, &one, err) < 0)
			return err_wrap(err, "job-%" PRIu64 " is submitted, but", job->id);
		if (is_waiting(job))
			ops_await(c, &one, ops_poll_interval_ms(c, job));
	}
	return 0;
}

static int show_rendered(struct controller *c, const char *backend, const struct spec *spec,
			 struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(SPEC_JSON_MAX);

	if (ops_render(c, backend, spec, &text, err) < 0)
		return -1;
	fwrite(buf_str(&text), 1, buf_len(&text), stdout);
	return 0;
}

static void draw(void *arg, uint64_t done, uint64_t total)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	output_progress(arg, done, total,
			(uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec);
}

/* What may have to be brought, or fetched, before a job can begin. */
struct bars {
	struct progress_bar programs, image;
	char *reference;
};

static void bars_finish(struct bars *bars)
{
	free(bars->reference);
}
DEFINE_CLEANUP_VALUE(struct bars, bars_finish)

/* On a terminal only, and where something is said at all. */
static void show_progress(struct controller *c, const struct cmd_submission *how,
			  const struct spec *spec, struct bars *bars)
{
	struct winsize size = { 0 };

	if (how->quiet || !isatty(STDERR_FILENO))
		return;
	ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
	bars->programs = (struct progress_bar){
		.out = stderr,
		.what = "berth's programs, once for this cluster",
		.width = size.ws_col,
	};
	bars->image = bars->programs;
	bars->reference = str_dup(spec->image ? spec->image : "");
	text_make_printable(bars->reference);
	bars->image.what = bars->reference;
	controller_tell_progress(c, draw, &bars->programs);
	controller_tell_fetching(c, draw, &bars->image);
}

int cmd_submit_one(struct controller *c, const struct cmd_submission *how, const struct spec *spec,
		   struct err *err)
{
	cleanup(notes_finish) struct notes notes = { 0 };
	cleanup(job_finish) struct job job = { 0 };
	char workdir[PATH_MAX], image[PATH_MAX], edf[PATH_MAX];
	struct spec own = *spec;
	cleanup(bars_finish) struct bars bars = { 0 };
	struct where where;
	int result;

	if (ops_choose(c, how->backend, &where, err) < 0)
		return -1;
	if (where.is_remote)
		result = check_workdir(&own, err);
	else if (where.runs_containers)
		result = check_workdir(&own, err);
	else if ((own.image || own.edf) && strcmp(where.backend, "local") != 0)
		result = choose_container(&own, image, edf, err);
	else
		result = choose_directories(&own, workdir, image, err);
	if (result < 0)
		return -1;
	if (how->dry_run)
		return show_rendered(c, how->backend, &own, err);
	show_progress(c, how, &own, &bars);
	result = ops_submit(c, how->backend, &own, &job, &notes, err);
	controller_tell_progress(c, NULL, NULL);
	controller_tell_fetching(c, NULL, NULL);
	if (result < 0)
		return err_wrap(err, "cannot submit");
	cmd_show_notes(&notes);
	if (how->wait && wait_until_it_runs(c, &job, err) < 0)
		return -1;
	show(how, &job);
	return 0;
}
