/* SPDX-License-Identifier: MIT */
/* Places of files; see files.h. */
#include "files.h"

#include <inttypes.h>
#include <string.h>

#include "controller/backends/firecrest/site.h"
#include "controller/backends/site_ssh.h"
#include "controller/files/firecrest.h"
#include "controller/ops/architecture.h"
#include "controller/ops/internal.h"
#include "controller/ops/jobs.h"
#include "controller/ops/place.h"
#include "init/base/fs.h"
#include "init/base/log.h"

size_t files_place_len(const char *operand)
{
	size_t len = strcspn(operand, ":/");

	return operand[len] == ':' ? len : 0;
}

bool files_same_place(const char *a, const char *b)
{
	size_t len = files_place_len(a);

	return len == files_place_len(b) && strncmp(a, b, len) == 0;
}

const char *files_path(const char *operand)
{
	size_t len = files_place_len(operand);

	return len > 0 ? operand + len + 1 : operand;
}

struct files *files_close(struct files *files)
{
	if (files) {
		fs_close(files->fs);
		site_close(files->site);
		argv_finish(&files->exec);
		free(files->path);
		free(files->cluster);
		free(files);
	}
	return NULL;
}

char *ops_files_journals(const struct controller *c)
{
	return fs_join(c->paths.state_dir, "transfers");
}

/* This machine */

static int open_here(struct controller *c, const char *name, const char *dir, struct files *files,
		     struct err *err)
{
	cleanup(bundle_finish) struct bundle bundle = { 0 };
	const char *argv[] = { NULL, "sftp", NULL };
	const struct fs_sftp_plan plan = { .name = name, .argv = argv, .dir = dir };

	if (bundle_find(c->paths.program, &bundle, err) < 0)
		return -1;
	argv[0] = bundle.tunnel;
	return fs_sftp_open(&plan, &files->fs, err);
}

/* A login node */

static int run_at_site(void *owner, const char *const *argv, struct child *ret, struct err *err)
{
	const struct child_plan plan = { .argv = argv, .timeout_ms = SITE_PATIENT_MS };
	const struct files *files = owner;

	return site_run(files->site, &plan, ret, err);
}

static int open_login(struct controller *c, const struct where *where, struct files *files,
		      struct err *err)
{
	cleanup(argv_finish) struct argv argv = { 0 };
	cleanup_free char *tunnel = NULL;
	struct fs_sftp_plan plan = { .name = where->cluster,
				     .is_marked = true,
				     .runner = &files->runner };

	if (place_open_site(c, where, &files->site, err) < 0 ||
	    place_installed_tunnel(c, where, &tunnel, err) < 0)
		return -1;
	files->runner = (struct fs_runner){ run_at_site, files };
	site_ssh_sftp(files->site, tunnel, &argv);
	plan.argv = argv_words(&argv);
	return fs_sftp_open(&plan, &files->fs, err);
}

static bool is_firecrest(const struct where *where)
{
	return strcmp(where->backend, "firecrest") == 0;
}

/* What jobs of the cluster are for: its account, where the configuration says one. */
static const char *account_of(const struct where *where)
{
	const struct config_job *job = where->settings ? &where->settings->job : NULL;

	for (size_t i = 0; job && i < job->names.len; i++) {
		if (strcmp(job->names.items[i], "account") == 0)
			return job->values.items[i];
	}
	return NULL;
}

static int open_firecrest(struct controller *c, const struct files_plan *plan,
			  const struct where *where, struct files *files, struct err *err)
{
	const struct fs_firecrest_plan how = { .name = where->cluster,
					       .account = account_of(where),
					       .wait_ns = plan->carry_ns ? plan->carry_ns
									 : FILES_CARRY_NS };

	if (place_open_site(c, where, &files->site, err) < 0)
		return -1;
	files->fs = fs_firecrest_new(&how, site_firecrest_client(files->site));
	return 0;
}

static int open_cluster(struct controller *c, const struct files_plan *plan, const char *name,
			struct files *files, struct err *err)
{
	struct where where;

	if (ops_choose(c, name, &where, err) < 0)
		return -1;
	if (is_firecrest(&where))
		return open_firecrest(c, plan, &where, files, err);
	if (where.is_remote)
		return open_login(c, &where, files, err);
	return open_here(c, name, c->paths.home, files, err);
}

/* A job */

static int run_in_job(void *owner, const char *const *argv, struct child *ret, struct err *err)
{
	const struct files *files = owner;
	cleanup(argv_finish) struct argv command = { 0 };
	struct child_plan plan = { 0 };

	argv_add_all(&command, argv_words(&files->exec));
	argv_add(&command, "--");
	argv_add_all(&command, argv);
	plan.argv = argv_words(&command);
	return child_run(&plan, ret, err);
}

static int open_job(struct controller *c, const struct files_plan *plan, const struct ref *ref,
		    const char *name, struct files *files, struct err *err)
{
	struct connect_plan way = {
		.ref = ref, .verb = "ssh", .wait_ns = plan->wait_ns, .progress = plan->progress
	};
	struct fs_sftp_plan sftp = { .name = name, .runner = &files->runner };
	cleanup(argv_finish) struct argv argv = { 0 };

	if (ops_connect(c, &way, &argv, err) < 0)
		return -1;
	argv_add(&argv, "--subsystem=sftp");
	way.verb = "exec";
	if (ops_connect(c, &way, &files->exec, err) < 0)
		return -1;
	files->runner = (struct fs_runner){ run_in_job, files };
	sftp.argv = argv_words(&argv);
	return fs_sftp_open(&sftp, &files->fs, err);
}

/* Which of them */

static bool has_cluster(struct controller *c, const char *name)
{
	const struct config *config;

	return ops_config(c, &config, NULL) == 0 && config_find_cluster(config, name);
}

static int find_job(struct controller *c, const char *name, struct ref *ret_ref,
		    struct job *ret_job, struct err *err)
{
	struct err why = { 0 };

	if (ref_parse(name, ret_ref, &why) == 0 && ops_find(c, ret_ref, ret_job, &why) == 0)
		return 0;
	if (why.kind != ERR_NOT_FOUND && why.kind != ERR_INVALID)
		return err_set(err, why.kind, "%s", why.text);
	return err_set(err, ERR_NOT_FOUND,
		       "'%.80s:' is neither a cluster ('berth get clusters') nor a job ('berth get "
		       "jobs')",
		       name);
}

static int open_named(struct controller *c, const struct files_plan *plan, const char *name,
		      struct files *files, struct err *err)
{
	cleanup(job_finish) struct job job = { 0 };
	struct ref ref;

	if (!has_cluster(c, name)) {
		if (find_job(c, name, &ref, &job, err) < 0)
			return -1;
		files->cluster = str_dup(job.cluster);
		return open_job(c, plan, &ref, name, files, err);
	}
	if (plan->notes && find_job(c, name, &ref, &job, NULL) == 0 &&
	    !job_state_is_ended(job.state))
		notes_add(plan->notes, "'%s:' is the cluster; write job-%" PRIu64 ": for the job",
			  name, job.id);
	files->cluster = str_dup(name);
	return open_cluster(c, plan, name, files, err);
}

int ops_files_open(struct controller *c, const struct files_plan *plan, const char *operand,
		   struct files **ret, struct err *err)
{
	cleanup(files_close) struct files *files = new_zero(struct files);
	size_t len = files_place_len(operand);
	cleanup_free char *name = str_dup_len(operand, len);

	files->path = str_dup(files_path(operand));
	if ((len > 0 ? open_named(c, plan, name, files, err)
		     : open_here(c, NULL, NULL, files, err)) < 0)
		return -1;
	*ret = take_ptr(files);
	return 0;
}

/* What running jobs need */

static bool touches(const char *a, const char *b)
{
	size_t len = MIN(strlen(a), strlen(b));

	/* One of them is the other, or the beginning of the other's way. */
	return strncmp(a, b, len) == 0 && (a[len] == '\0' || a[len] == '/') &&
	       (b[len] == '\0' || b[len] == '/');
}

/* As it lies on the disk: what the job was told may have links in it. */
static char *directory_of(struct files *files, const struct job *job)
{
	char *real;

	return fs_resolve(files->fs, job->directory, &real, NULL) == 0 ? real
								       : str_dup(job->directory);
}

static bool is_on(const struct files *files, const struct job *job)
{
	return files->cluster ? strcmp(files->cluster, job->cluster) == 0
			      : job->directory && access(job->directory, F_OK) == 0;
}

int ops_files_check_free(struct controller *c, struct files *files, const char *path,
			 struct err *err)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	cleanup_free char *real = NULL;

	if (ops_list(c, false, &jobs, err) < 0 || fs_resolve_link(files->fs, path, &real, err) < 0)
		return -1;
	for (size_t i = 0; i < jobs.len; i++) {
		struct job *job = &jobs.items[i];
		cleanup_free char *dir = NULL;

		if (job_state_is_ended(job->state) || !job->directory || !is_on(files, job))
			continue;
		dir = directory_of(files, job);
		if (!touches(real, dir))
			continue;
		/* It may have ended since somebody looked. */
		if (ops_refresh_job(c, job, NULL) == 0 && job_state_is_ended(job->state))
			continue;
		return err_set(err, ERR_DENIED,
			       "%s: job-%" PRIu64 " needs it: 'berth cancel job-%" PRIu64 "' first",
			       path, job->id, job->id);
	}
	return 0;
}

int ops_files_carry(struct controller *c, const char *from, const char *to, struct child *ret,
		    struct err *err)
{
	const char *const argv[] = {
		c->paths.program, "cp", "-rpq", "--verify", "--", from, to, NULL
	};
	const struct child_plan plan = { .argv = argv };

	return child_run(&plan, ret, err);
}

int ops_files_remove(struct controller *c, struct files *files, const char *path, bool recursive,
		     struct err *err)
{
	if (ops_files_check_free(c, files, path, err) < 0)
		return -1;
	return fs_remove(files->fs, path, recursive, err);
}

int ops_files_rename(struct controller *c, struct files *files, const char *from, const char *to,
		     struct err *err)
{
	cleanup(fs_entry_finish) struct fs_entry entry = { 0 };
	cleanup_free char *inside = NULL, *real = NULL;

	if (ops_files_check_free(c, files, from, err) < 0)
		return -1;
	/* Into a directory, as mv(1). */
	if (files->fs->ops->stat(files->fs, to, true, &entry, NULL) == 0 && entry.type == 'd') {
		if (fs_resolve_link(files->fs, from, &real, err) < 0)
			return -1;
		inside = fs_path_join(to, strrchr(real, '/') + 1);
	}
	return fs_rename(files->fs, from, inside ? inside : to, err);
}

/* Ways for berth-tunnel cp */

void files_way_finish(struct files_way *way)
{
	argv_finish(&way->command);
	free(way->base);
	*way = (struct files_way){ 0 };
}

char *files_way_path(const struct files_way *way, const char *operand)
{
	const char *path = files_path(operand);

	if (!way->base || path[0] == '/')
		return str_dup(path[0] ? path : way->base ? way->base : ".");
	if (path[0] == '~' && (path[1] == '\0' || path[1] == '/'))
		path += 1 + strspn(path + 1, "/");
	return path[0] ? fs_path_join(way->base, path) : str_dup(way->base);
}

/* What a copy needs of the server there (sums) only ours has. */
static int bring_server(struct controller *c, const struct where *where, struct site *site,
			struct err *err)
{
	cleanup(place_finish) struct place place = { 0 };
	cleanup(bundle_finish) struct bundle bundle = { 0 };
	cleanup_free char *dir = NULL;

	if (place_find(c, where, site, &place, err) < 0 ||
	    architecture_find_bundle(c, where, NULL, &bundle, err) < 0)
		return -1;
	return place_install_bundle(c, where, site, &place, &bundle, &dir, err);
}

static int login_way(struct controller *c, const struct where *where, bool wants_server,
		     struct files_way *ret, struct err *err)
{
	cleanup(site_close) struct site *site = NULL;
	cleanup(argv_finish) struct argv ssh = { 0 };
	cleanup_free char *tunnel = NULL;

	if (place_open_site(c, where, &site, err) < 0 ||
	    (wants_server && bring_server(c, where, site, err) < 0) ||
	    place_installed_tunnel(c, where, &tunnel, err) < 0)
		return -1;
	site_ssh_sftp(site, tunnel, &ssh);
	for (size_t i = 0; i < ssh.len; i++)
		argv_addf(&ret->command, "--command=%s", ssh.items[i]);
	argv_addf(&ret->command, "--name=%s", where->cluster);
	return 0;
}

static int cluster_way(struct controller *c, const char *name, bool wants_server,
		       struct files_way *ret, struct err *err)
{
	struct where where;

	if (ops_choose(c, name, &where, err) < 0)
		return -1;
	ret->carries_whole = is_firecrest(&where);
	ret->is_here = !where.is_remote && !ret->carries_whole;
	if (ret->is_here)
		ret->base = str_dup(c->paths.home);
	return where.is_remote && !ret->carries_whole ? login_way(c, &where, wants_server, ret, err)
						      : 0;
}

int ops_files_way(struct controller *c, const struct files_plan *plan, const char *operand,
		  struct files_way *ret, struct err *err)
{
	size_t len = files_place_len(operand);
	cleanup_free char *name = str_dup_len(operand, len);
	cleanup(bundle_finish) struct bundle bundle = { 0 };
	cleanup(job_finish) struct job job = { 0 };
	struct ref ref;
	struct connect_plan way = {
		.ref = &ref, .verb = "cp", .wait_ns = plan->wait_ns, .progress = plan->progress
	};

	if (len > 0 && !has_cluster(c, name))
		return find_job(c, name, &ref, &job, err) < 0
			       ? -1
			       : ops_connect(c, &way, &ret->command, err);
	if (bundle_find(c->paths.program, &bundle, err) < 0)
		return -1;
	argv_add_words(&ret->command, bundle.tunnel, "cp", NULL);
	if (len > 0)
		return cluster_way(c, name, plan->wants_server, ret, err);
	ret->is_here = true;
	return 0;
}
