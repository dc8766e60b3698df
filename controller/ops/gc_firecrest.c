/* SPDX-License-Identifier: MIT */
/*
 * What is collected at sites behind FirecREST, which run no commands: bundles that no job's
 * directory links to, and what interrupted transfers began.
 */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "controller/backends/firecrest/site.h"
#include "controller/files/copy.h"
#include "controller/files/firecrest.h"
#include "controller/files/journal.h"
#include "controller/firecrest/answer.h"
#include "controller/ops/files.h"
#include "controller/ops/internal.h"
#include "controller/ops/place.h"
#include "init/base/fs.h"
#include "init/base/log.h"

#define DIGEST_LEN 64

/* Bundles */

static bool is_digest(const char *name)
{
	return strspn(name, "0123456789abcdef") == DIGEST_LEN && name[DIGEST_LEN] == '\0';
}

/* Whether a directory of a job, of whatever workstation, links to it. */
static bool is_linked(const json_t *jobs, const char *digest)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(jobs, "output"), i, entry) {
		if (strstr(firecrest_text(entry, "linkTarget"), digest))
			return true;
	}
	return false;
}

static int list_jobs(struct firecrest *fc, const char *home, json_t **ret, struct err *err)
{
	cleanup_free char *path = str_printf("%s/jobs", home);
	const char *const query[] = {
		"path", path, "recursive", "true", "showHidden", "true", NULL
	};
	const struct firecrest_request request = { .path = "/filesystem/{system}/ops/ls",
						   .query = query };

	return firecrest_call(fc, &request, ret, err);
}

int gc_firecrest_bundles(struct site *site, const char *home, uint64_t before_ns, bool dry_run,
			 uint64_t *ret_count, struct err *err)
{
	const struct fs_firecrest_plan plan = { 0 };
	cleanup(fs_close) struct fs *fs = fs_firecrest_new(&plan, site_firecrest_client(site));
	cleanup(fs_list_finish) struct fs_list bundles = { 0 };
	cleanup(json_release) json_t *jobs = NULL;
	cleanup_free char *images = str_printf("%s/images", home);
	struct err why = { 0 };

	*ret_count = 0;
	if (fs_list(fs, images, &bundles, &why) < 0)
		return why.kind == ERR_NOT_FOUND ? 0 : err_set(err, why.kind, "%s", why.text);
	for (size_t i = 0; i < bundles.len; i++) {
		const struct fs_entry *bundle = &bundles.items[i];
		cleanup_free char *path = fs_path_join(images, bundle->name);

		if (bundle->type != 'd' || !is_digest(bundle->name) ||
		    bundle->mtime_s >= before_ns / NSEC_PER_SEC)
			continue;
		/* What cannot be seen may be there. */
		if (!jobs && list_jobs(site_firecrest_client(site), home, &jobs, err) < 0)
			return -1;
		if (is_linked(jobs, bundle->name))
			continue;
		if (!dry_run && site_remove(site, path, err) < 0)
			return -1;
		++*ret_count;
	}
	return site_flush(site, err);
}

/* Transfers */

/* The server's job, which waits for an object that will not come. */
static void end_job(struct controller *c, const struct journal_summary *summary)
{
	cleanup_free char *path = str_printf("/compute/{system}/jobs/%s", summary->job);
	const struct firecrest_request request = { .method = "DELETE", .path = path };
	cleanup(json_release) json_t *answer = NULL;
	struct backend *backend;
	struct where where;
	struct err why = { 0 };

	if (!summary->job[0] || summary->job[strspn(summary->job, "0123456789")] != '\0' ||
	    ops_choose(c, summary->place, &where, NULL) < 0 ||
	    strcmp(where.backend, "firecrest") != 0 ||
	    controller_backend(c, summary->place, &backend, NULL) < 0)
		return;
	/* It may have ended long ago. */
	if (firecrest_call(site_firecrest_client(backend_site(backend)), &request, &answer, &why) <
	    0)
		log_debug("%s: job %s: %s", summary->place, summary->job, why.text);
}

static bool collect_transfer(struct controller *c, const char *path, bool dry_run)
{
	cleanup(journal_summary_finish) struct journal_summary summary = { 0 };

	if (!journal_read_summary(path, &summary))
		return false;
	if (dry_run)
		return true;
	end_job(c, &summary);
	if (summary.comes_here) {
		cleanup_free char *part = fs_copy_part(summary.here, true);

		unlink(part);
	}
	return unlink(path) == 0;
}

size_t gc_firecrest_transfers(struct controller *c, uint64_t before_ns, bool dry_run)
{
	cleanup_free char *path = ops_files_journals(c);
	DIR *dir = opendir(path);
	struct dirent *entry;
	size_t count = 0;

	while (dir && (entry = readdir(dir))) {
		cleanup_free char *file = fs_join(path, entry->d_name);
		struct stat st;

		if (is_digest(entry->d_name) && lstat(file, &st) == 0 &&
		    (uint64_t)st.st_mtim.tv_sec < before_ns / NSEC_PER_SEC)
			count += collect_transfer(c, file, dry_run);
	}
	if (dir)
		closedir(dir);
	return count;
}
