/* SPDX-License-Identifier: MIT */
/* What jobs leave behind, and how it goes; see internal.h. */
#include <dirent.h>
#include <inttypes.h>
#include <string.h>

#include "controller/ops/place.h"
#include "init/base/fs.h"
#include "init/base/log.h"

#define SCRATCH_RANKS_MAX UINT64_C(1024)

static int remove_file(const char *path, struct err *err)
{
	if (unlink(path) < 0 && errno != ENOENT && errno != ENOTDIR)
		return err_set_errno(err, errno, "remove %s", path);
	return 0;
}

/* tunnel.json and endpoint.RANK.json: of no use to anybody once the job has ended. */
static int remove_secrets(const char *job_dir, struct err *err)
{
	DIR *dir = opendir(job_dir);
	struct dirent *entry;
	int result = 0;

	if (!dir)
		return errno == ENOENT ? 0 : err_set_errno(err, errno, "list %s", job_dir);
	while (result == 0 && (entry = readdir(dir))) {
		cleanup_free char *path = fs_join(job_dir, entry->d_name);

		if (strcmp(entry->d_name, "tunnel.json") == 0 ||
		    strncmp(entry->d_name, "endpoint.", 9) == 0)
			result = remove_file(path, err);
	}
	closedir(dir);
	return result;
}

/*
 * The directory that sessions have on the node (tunnel/services/scratch.h). The job removes it when
 * it ends; one that was killed cannot. Only this machine's can be reached from here, and what is
 * not ours stays.
 */
static void remove_scratch(const struct job *job)
{
	const char *temporary = getenv("TMPDIR");
	const char *const places[] = { "/tmp",
				       temporary && temporary[0] == '/' ? temporary : "/tmp" };
	struct err why;

	uint64_t looked = 0;

	for (uint64_t rank = 0; job_next_rank(job, rank, &rank) && looked < SCRATCH_RANKS_MAX;
	     rank++, looked++) {
		for (size_t i = 0; i < ARRAY_LEN(places); i++) {
			cleanup_free char *path =
				str_printf("%s/berth-%u-%s.%" PRIu64, places[i],
					   (unsigned int)getuid(), job->uid, rank);

			if (fs_remove_tree(path, &why) < 0)
				log_debug("%s: %s", path, why.text);
		}
	}
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

int leftovers_remove_beside(struct controller *c, const struct job *job, struct err *err)
{
	cleanup_free char *begin = str_printf("%s.json.", job->uid);
	DIR *dir = opendir(c->paths.keys_dir);
	struct dirent *entry;
	int result = 0;

	if (!dir)
		return errno == ENOENT ? 0
				       : err_set_errno(err, errno, "list %s", c->paths.keys_dir);
	while (result == 0 && (entry = readdir(dir))) {
		cleanup_free char *path = fs_join(c->paths.keys_dir, entry->d_name);

		if (strncmp(entry->d_name, begin, strlen(begin)) == 0 &&
		    (ends_with(entry->d_name, ".new") || ends_with(entry->d_name, ".part")))
			result = remove_file(path, err);
	}
	closedir(dir);
	return result;
}

/* The same elsewhere; waits for the next question to the login node, or a flush. */
static int forget_secrets(struct site *site, const struct job *job, struct err *err)
{
	cleanup_free char *tunnel = fs_join(job->directory, "tunnel.json");

	if (site_remove(site, tunnel, err) < 0)
		return -1;
	/* A request for each; an address without a key leads nowhere. */
	if (!site_can_run(site))
		return 0;
	for (uint64_t rank = 0; job_next_rank(job, rank, &rank) && rank < SCRATCH_RANKS_MAX;
	     rank++) {
		cleanup_free char *endpoint =
			str_printf("%s/endpoint.%" PRIu64 ".json", job->directory, rank);

		if (site_remove(site, endpoint, err) < 0)
			return -1;
	}
	return 0;
}

/*
 * No directory is looked through here: of thousands of jobs that end at once, each would look at
 * what all of them have. What a berth that was killed left under another name is for collecting.
 */
int leftovers_release_here(struct controller *c, const struct job *job, struct err *err)
{
	cleanup_free char *key = paths_client_key(&c->paths, job->uid);
	cleanup_free char *tickets = paths_client_tickets(&c->paths, job->uid);
	cleanup_free char *next = str_printf("%s.new", key), *copy = str_printf("%s.job.part", key);

	if (sshconf_remove_job(&c->ssh, job->id, err) < 0 || remove_file(key, err) < 0 ||
	    remove_file(next, err) < 0 || remove_file(copy, err) < 0 ||
	    fs_remove_tree(tickets, err) < 0)
		return -1;
	place_drop_endpoints(c, job);
	return 0;
}

int leftovers_release(struct controller *c, const struct job *job, struct err *err)
{
	struct backend *backend;

	if (leftovers_release_here(c, job, err) < 0)
		return -1;
	if (job_is_imported(job))
		return 0;
	if (controller_backend(c, job->cluster, &backend, NULL) == 0 && backend_site(backend))
		return forget_secrets(backend_site(backend), job, err);
	remove_scratch(job);
	return remove_secrets(job->directory, err);
}

/* The cluster may be another backend's since, which knows nothing of it. */
static bool is_of(const struct job *job, const struct backend *backend)
{
	return strcmp(job->backend, backend_name(backend)) == 0;
}

static int forget(struct backend *backend, const struct job *job, struct err *err)
{
	return job_is_adopted(job) ? backend_abandon(backend, job, err)
				   : backend_forget(backend, job, err);
}

int leftovers_begin_removing(struct controller *c, const struct job *job, struct err *err)
{
	struct backend *backend;

	if (leftovers_release_here(c, job, err) < 0)
		return -1;
	if (!job_is_ours(job))
		return 0;
	/* Without its cluster there is no telling where that is. */
	if (controller_backend(c, job->cluster, &backend, err) < 0)
		return -1;
	if (!backend_site(backend))
		remove_scratch(job);
	if (is_of(job, backend) && forget(backend, job, err) < 0)
		return -1;
	return site_remove(backend_site(backend), job->directory, err);
}

int leftovers_remove(struct controller *c, const struct job *job, struct err *err)
{
	struct backend *backend;

	if (leftovers_remove_beside(c, job, err) < 0 || leftovers_begin_removing(c, job, err) < 0 ||
	    controller_backend(c, job->cluster, &backend, err) < 0)
		return -1;
	return site_flush(backend_site(backend), err);
}
