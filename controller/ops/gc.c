/* SPDX-License-Identifier: MIT */
/* Collecting what jobs leave; see gc.h. */
#include "gc_internal.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/ops/internal.h"
#include "controller/ops/jobs.h"
#include "controller/ops/place.h"
#include "controller/ops/spare.h"
#include "controller/backends/site_ssh.h"
#include "controller/run/remote.h"
#include "init/base/fs.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define PASSING_NS (600 * NSEC_PER_SEC)
#define SETTLED_NS (3600 * NSEC_PER_SEC)
#define QUIET_NS (60 * NSEC_PER_SEC)
#define NOTE "collected at"
#define DIGEST_LEN 64
#define BUNDLE_DAYS 30 /* behind a login node */
#define SCRIPT_MAX 65536

static uint64_t before(uint64_t age_ns)
{
	uint64_t now = controller_now_ns();

	return now > age_ns ? now - age_ns : 0;
}

void gc_note(struct collection *g, int result)
{
	if (result < 0) {
		g->failed = true;
		g->err = NULL;
	}
}

/*
 * Whether nothing is needed for entering this job any more: it ended, or it is not recorded and
 * could not be entered anyway.
 */
static bool is_over(struct collection *g, uint64_t id)
{
	cleanup(job_finish) struct job job = { 0 };
	struct err err;

	if (store_find_by_id(g->c->store, id, &job, &err) < 0)
		return err.kind == ERR_NOT_FOUND;
	return job_state_is_ended(job.state);
}

static void collect_hosts(struct collection *g)
{
	cleanup_free uint64_t *ids = NULL;
	size_t len = 0;

	gc_note(g, sshconf_list_jobs(&g->c->ssh, &ids, &len, g->err));
	for (size_t i = 0; i < len; i++) {
		if (!is_over(g, ids[i]))
			continue;
		g->report.hosts++;
		if (g->plan->dry_run)
			continue;
		gc_note(g, sshconf_remove_job(&g->c->ssh, ids[i], g->err));
		gc_note(g, sshconf_remove_parts(&g->c->ssh, ids[i], g->err));
	}
}

/* The uid in "UID.json", or in the name of what a berth left beside it that was killed. */
static char *uid_of_key(const char *name)
{
	static const char end[] = ".json";
	const char *at = strstr(name, end);
	size_t len = strlen(name);

	if (!at || at == name)
		return NULL;
	if (at[strlen(end)] != '\0' && strcmp(name + len - 4, ".new") != 0 &&
	    strcmp(name + len - 5, ".part") != 0)
		return NULL;
	return str_dup_len(name, (size_t)(at - name));
}

/* A file of a job that has ended, or of none and old (a submission that died). */
static void collect_key(struct collection *g, const char *name)
{
	cleanup_free char *path = fs_join(g->c->paths.keys_dir, name);
	cleanup(job_finish) struct job job = { 0 };
	cleanup_free char *uid = uid_of_key(name), *tickets = NULL;
	struct err err;

	if (!uid)
		return;
	if (store_find_by_uid(g->c->store, uid, &job, &err) == 0) {
		if (!job_state_is_ended(job.state))
			return;
	} else if (err.kind != ERR_NOT_FOUND || !fs_is_older(path, g->settled_ns)) {
		return;
	}
	if (g->plan->dry_run) {
		g->report.keys++;
		return;
	}
	tickets = paths_client_tickets(&g->c->paths, uid);
	gc_note(g, fs_remove_tree(tickets, g->err));
	/* Others may be collecting at the same time. */
	if (unlink(path) == 0)
		g->report.keys++;
	else if (errno != ENOENT)
		gc_note(g, err_set_errno(g->err, errno, "remove %s", path));
}

static void collect_keys(struct collection *g)
{
	DIR *dir = opendir(g->c->paths.keys_dir);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		collect_key(g, entry->d_name);
	closedir(dir);
}

/*
 * A submission that died may have handed its job over before. 1: it did, and that is recorded now;
 * 0: it did not; -1: this cannot be told now. In passing, nobody is asked whose answer takes time.
 */
static int recover(struct collection *g, struct job *job)
{
	char id[BACKEND_ID_MAX];
	struct backend *backend;
	int found;

	if (controller_backend(g->c, job->cluster, &backend, g->err) < 0) {
		gc_note(g, -1);
		return -1;
	}
	if (!backend_can_find(backend))
		return 0;
	if (g->in_passing && !backend_observes_at_once(backend))
		return -1;
	found = backend_find(backend, job, id, g->err);
	if (found == 1) {
		job_set(job, native_id, id);
		job->state = JOB_QUEUED;
		found = store_update_job(g->c->store, job, g->err) < 0 ? -1 : 1;
	}
	gc_note(g, found);
	return found;
}

/*
 * Jobs that will not end by being observed: submissions that died before the backend took them, and
 * jobs that nobody knows anything about for the whole retention.
 */
static void collect_lost(struct collection *g)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };

	gc_note(g, store_list(g->c->store, STORE_OPEN, 0, &jobs, g->err));
	for (size_t i = 0; i < jobs.len; i++) {
		struct job *job = &jobs.items[i];
		uint64_t last_ns = MAX(job->created_ns, job->seen_ns);

		if (job_is_imported(job))
			continue;
		if (job->state == JOB_DEFINED && last_ns < g->quiet_ns && recover(g, job) != 0)
			continue;
		if ((job->state != JOB_DEFINED && job->state != JOB_UNKNOWN) ||
		    last_ns >= g->settled_ns)
			continue;
		job_set(job, reason,
			job->state == JOB_DEFINED ? "its submission died"
						  : "nobody knew it any more");
		job->state = JOB_FAILED;
		job->ended_ns = last_ns;
		gc_note(g, store_update_job(g->c->store, job, g->err));
	}
}

/* Whether any job directory, of whatever workstation, links to this bundle. */
static bool is_linked(const struct collection *g, const char *digest)
{
	DIR *dir = opendir(g->c->paths.jobs_dir);
	struct dirent *entry;
	bool linked = !dir && errno != ENOENT; /* what cannot be seen may be there */

	while (dir && !linked && (entry = readdir(dir))) {
		cleanup_free char *link =
			str_printf("%s/%s/bundle", g->c->paths.jobs_dir, entry->d_name);
		char target[PATH_MAX];
		ssize_t len = readlink(link, target, sizeof(target) - 1);

		if (len < 0)
			continue;
		target[len] = '\0';
		linked = strstr(target, digest) != NULL;
	}
	if (dir)
		closedir(dir);
	return linked;
}

static bool is_bundle_name(const char *name)
{
	/* Only what we named: a digest, or the part of a copy that was interrupted. */
	if (strspn(name, "0123456789abcdef") == DIGEST_LEN && name[DIGEST_LEN] == '\0')
		return true;
	return name[0] == '.' && strlen(name) > 5 && strcmp(name + strlen(name) - 5, ".part") == 0;
}

static void collect_bundles(struct collection *g)
{
	DIR *dir = opendir(g->c->paths.images_dir);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		cleanup_free char *path = fs_join(g->c->paths.images_dir, entry->d_name);

		if (!is_bundle_name(entry->d_name) || !fs_is_older(path, g->settled_ns) ||
		    is_linked(g, entry->d_name))
			continue;
		if (!g->plan->dry_run && fs_remove_tree(path, g->err) < 0)
			gc_note(g, -1);
		else
			g->report.bundles++;
	}
	closedir(dir);
}

/*
 * The same behind a login node, in one message: what was last used so long ago, and no job's
 * directory links to. Names are only what we give.
 */
static int collect_bundles_there(struct site *site, const char *home, const struct gc_plan *plan,
				 uint64_t *ret_count, struct err *err)
{
	cleanup(buf_finish) struct buf script = BUF_INIT(SCRIPT_MAX), answer = BUF_INIT(SCRIPT_MAX);
	const uint64_t days =
		MAX(plan->retention_ns / (86400 * NSEC_PER_SEC), (uint64_t)BUNDLE_DAYS);

	if (!buf_printf(&script, "cd ") || !remote_quote(&script, home) ||
	    !buf_printf(&script,
			" 2>/dev/null && cd images 2>/dev/null || { echo 0; exit; }\nn=0\n"
			"for d in $(find . -maxdepth 1 -type d -mtime +%" PRIu64
			" | sed -n 's,^\\./\\([0-9a-f]\\{%d\\}\\)$,\\1,p'); do\n"
			"\tfor l in ../jobs/*/bundle; do\n"
			"\t\tcase $(readlink \"$l\") in */$d) continue 2 ;; esac\n"
			"\tdone\n"
			"\t%s \"$d\" && n=$((n + 1))\n"
			"done\necho $n\n",
			days, DIGEST_LEN, plan->dry_run ? "test -d" : "rm -rf"))
		return err_set(err, ERR_LIMIT, "too long");
	if (site_ssh_script(site, buf_span(&script), &answer, err) < 0)
		return -1;
	if (buf_len(&answer) > 0)
		buf_truncate(&answer, buf_len(&answer) - 1);
	if (!text_parse_uint(buf_str(&answer), UINT32_MAX, ret_count))
		return err_set(err, ERR_PROTOCOL, "%s: its shell says something odd", site->login);
	return 0;
}

static int collect_site(const struct where *where, struct site *site, const char *home,
			const struct gc_plan *plan, uint64_t *ret_count, struct err *err)
{
	if (strcmp(where->backend, "firecrest") == 0)
		return gc_firecrest_bundles(
			site, home,
			before(MAX(plan->retention_ns, BUNDLE_DAYS * 86400 * NSEC_PER_SEC)),
			plan->dry_run, ret_count, err);
	return site_can_run(site) ? collect_bundles_there(site, home, plan, ret_count, err) : 0;
}

/* One that does not answer has kept its old bundles; that is no reason to fail. */
static void collect_cluster(struct collection *g, const struct where *where)
{
	cleanup(place_finish) struct place place = { 0 };
	struct backend *backend;
	uint64_t count = 0;
	struct err err;

	if (controller_backend(g->c, where->cluster, &backend, &err) < 0 ||
	    place_find(g->c, where, backend_site(backend), &place, &err) < 0 ||
	    collect_site(where, backend_site(backend), place.home, g->plan, &count, &err) < 0) {
		log_info("old bundles of %s stay: %s", where->cluster, err.text);
		return;
	}
	g->report.bundles += count;
	if (count > 0 && !g->plan->dry_run)
		place_forget(g->c, where);
}

/* What an engine keeps for many jobs. */
static void collect_engine(struct collection *g, const char *cluster)
{
	struct backend *backend;
	struct err err;

	if (controller_backend(g->c, cluster, &backend, &err) < 0 ||
	    backend_collect(backend, &err) < 0)
		log_info("what %s keeps of old jobs stays: %s", cluster, err.text);
}

static void collect_remote_bundles(struct collection *g)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };

	gc_note(g, store_list(g->c->store, STORE_ALL, 0, &jobs, g->err));
	for (size_t i = 0; i < jobs.len; i++) {
		struct where where;
		bool seen = false;

		for (size_t j = 0; j < i && !seen; j++)
			seen = strcmp(jobs.items[j].cluster, jobs.items[i].cluster) == 0;
		/* A cluster that is not configured any more is nobody's to ask. */
		if (seen || ops_choose(g->c, jobs.items[i].cluster, &where, NULL) < 0)
			continue;
		if (where.runs_containers && !g->plan->dry_run)
			collect_engine(g, where.cluster);
		else if (where.is_remote)
			collect_cluster(g, &where);
	}
}

static void collect(struct collection *g)
{
	g->before_ns = before(g->plan->retention_ns);
	g->settled_ns = before(MAX(g->plan->retention_ns, SETTLED_NS));
	g->quiet_ns = before(QUIET_NS);
	if (!g->plan->dry_run)
		collect_lost(g);
	collect_hosts(g);
	collect_keys(g);
	gc_note(g, spare_collect(g->c, g->settled_ns, g->plan->dry_run, &g->report.keys, g->err));
	gc_collect_directories(g);
	/* It takes a look into each directory. */
	if (!g->in_passing)
		gc_collect_unrecorded(g);
	collect_bundles(g);
}

int ops_collect(struct controller *c, const struct gc_plan *plan, struct gc_report *ret,
		struct err *err)
{
	cleanup(job_list_finish) struct job_list open = { 0 };
	struct collection g = { .c = c, .plan = plan, .err = err };

	gc_note(&g, store_list(c->store, STORE_OPEN, 0, &open, g.err));
	g.was_refused = ops_refresh(c, &open, g.err) < 0;
	gc_note(&g, g.was_refused ? -1 : 0);
	collect(&g);
	collect_remote_bundles(&g);
	g.report.transfers = gc_firecrest_transfers(c, g.before_ns, plan->dry_run);
	*ret = g.report;
	return g.failed ? -1 : 0;
}

void gc_report_finish(struct gc_report *report)
{
	for (size_t i = 0; i < report->directories; i++) {
		free(report->items[i].cluster);
		free(report->items[i].directory);
	}
	free(report->items);
	*report = (struct gc_report){ 0 };
}

/* True at most once in ten minutes, for all processes together as good as. */
static bool is_due(struct controller *c)
{
	cleanup_free char *last = NULL;
	uint64_t now = controller_now_ns(), last_ns;
	char text[24];

	if (store_get_note(c->store, NOTE, &last, NULL) < 0)
		return false;
	if (last && text_parse_uint(last, UINT64_MAX, &last_ns) && last_ns <= now &&
	    now - last_ns < PASSING_NS)
		return false;
	snprintf(text, sizeof(text), "%" PRIu64, now);
	return store_put_note(c->store, NOTE, text, NULL) == 0;
}

void ops_collect_in_passing(struct controller *c)
{
	static const struct gc_plan plan = { .retention_ns = GC_RETENTION_NS };
	struct collection g = { .c = c, .plan = &plan, .in_passing = true };

	if (is_due(c))
		collect(&g);
	gc_report_finish(&g.report);
}
