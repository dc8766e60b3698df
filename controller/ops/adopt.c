/* SPDX-License-Identifier: MIT */
/* Containers that berth did not start; see adopt.h. */
#include "adopt.h"

#include <inttypes.h>
#include <string.h>

#include "controller/ops/architecture.h"
#include "controller/ops/internal.h"
#include "controller/ops/place.h"
#include "init/base/fs.h"

#define LET_GO "its tunnel was taken out: the container goes on"

/* Words that are known without a configuration, and what they mean. */
static const struct {
	const char *word, *backend;
} words[] = {
	{ "docker", "docker" },
	{ "podman", "docker" },
	{ "k8s", "kubernetes" },
};

char *ops_adopting_cluster(struct controller *c, const char *word)
{
	const struct config *config;
	const char *backend = NULL;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(words[i].word, word) == 0)
			backend = words[i].backend;
	}
	if (!backend || ops_config(c, &config, NULL) < 0)
		return NULL;
	if (config_find_cluster(config, word))
		return str_dup(word);
	for (size_t i = 0; i < config->clusters.len; i++) {
		const struct config_cluster *cluster = &config->clusters.items[i];
		const char *own = config_text(config, cluster, "backend");

		if (own && strcmp(own, backend) == 0)
			return str_dup(cluster->name);
	}
	return str_dup(backend);
}

/* What there is before anything is in the container. */
struct adopting {
	struct controller *c;
	const struct where *where;
	struct backend *backend;
	struct place place;
	struct bundle here, bundle; /* for this machine, and for the container */
	char *installed;
};

static void adopting_finish(struct adopting *a)
{
	place_finish(&a->place);
	bundle_finish(&a->here);
	bundle_finish(&a->bundle);
	free(a->installed);
}
DEFINE_CLEANUP_VALUE(struct adopting, adopting_finish)

static int open_adopting(struct adopting *a, struct err *err)
{
	if (controller_backend(a->c, a->where->cluster, &a->backend, err) < 0 ||
	    bundle_find(a->c->paths.program, &a->here, err) < 0 ||
	    architecture_find_bundle(a->c, a->where, a->backend, &a->bundle, err) < 0 ||
	    place_find(a->c, a->where, NULL, &a->place, err) < 0 ||
	    place_install_bundle(a->c, a->where, NULL, &a->place, &a->bundle, &a->installed, err) <
		    0)
		return -1;
	return keys_make_host(a->c, a->here.tunnel, err);
}

static int record(struct adopting *a, struct job *job, struct err *err)
{
	cleanup_free char *uid = job_make_uid(err);
	cleanup_free char *dir = uid ? place_job_dir(&a->place, uid) : NULL;

	if (!uid)
		return -1;
	job_set(job, uid, uid);
	job_set(job, directory, dir);
	job_set(job, cluster, a->where->cluster);
	job_set(job, backend, backend_name(a->backend));
	job_set(job, origin, JOB_ADOPTED);
	job_set_user(job);
	job->created_ns = controller_now_ns();
	job->nodes = job->tasks = 1;
	return store_add_job(a->c->store, job, err);
}

static int put_there(struct adopting *a, const struct job *job, const struct spec *spec,
		     struct err *err)
{
	const struct submission submission = { .spec = spec, .job = job, .bundle = a->installed };

	return backend_adopt(a->backend, &submission, err);
}

/* The link says that the bundle is in use, as for any job. */
static int prepare(struct adopting *a, const struct job *job, const struct spec *spec,
		   struct err *err)
{
	cleanup_free char *link = fs_join(job->directory, "bundle");
	cleanup(making_finish) struct making keys = {
		.tunnel = a->here.tunnel, .bundle = a->installed, .job = job, .spec = spec
	};

	if (site_make_dir(NULL, job->directory, err) < 0 ||
	    keys_begin_job(a->c, a->where, &keys, err) < 0 ||
	    site_link(NULL, a->installed, link, err) < 0 || session_write(NULL, job, spec, err) < 0)
		return -1;
	return keys_end_job(&keys, err);
}

static int enter(struct adopting *a, struct job *job, struct notes *notes, struct err *err)
{
	const struct spec spec = { .name = job->name };

	if (prepare(a, job, &spec, err) < 0 || put_there(a, job, &spec, err) < 0)
		return -1;
	job->state = JOB_RUNNING;
	if (store_update_job(a->c->store, job, err) < 0)
		return -1;
	hosts_add_job(a->c, job, notes);
	return 0;
}

int ops_find_adopted(struct controller *c, const struct where *where, const char *name,
		     struct job *ret, struct err *err)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	cleanup(job_finish) struct job named = { 0 };
	struct backend *backend;

	job_init(&named);
	if (controller_backend(c, where->cluster, &backend, err) < 0 ||
	    backend_find_foreign(backend, name, &named, err) < 0 ||
	    store_list(c->store, STORE_OPEN, 0, &jobs, err) < 0)
		return -1;
	for (size_t i = 0; i < jobs.len; i++) {
		struct job *job = &jobs.items[i];

		if (!job_is_adopted(job) || strcmp(job->cluster, where->cluster) != 0 ||
		    strcmp(job->native_id, named.native_id) != 0)
			continue;
		*ret = *job;
		*job = (struct job){ 0 };
		return 1;
	}
	return 0;
}

int ops_adopt(struct controller *c, const struct where *where, const char *name, struct job *ret,
	      struct notes *notes, struct err *err)
{
	cleanup(adopting_finish) struct adopting a = { .c = c, .where = where };
	cleanup(job_finish) struct job job = { 0 };

	job_init(&job);
	if (open_adopting(&a, err) < 0 || backend_find_foreign(a.backend, name, &job, err) < 0 ||
	    record(&a, &job, err) < 0)
		return -1;
	if (enter(&a, &job, notes, err) < 0) {
		/* The first error is the one to report. */
		if (leftovers_remove(c, &job, NULL) == 0 &&
		    store_delete_job(c->store, job.id, NULL) == 0)
			return -1;
		return err_wrap(err, "job-%" PRIu64 " (not cleared away: run 'berth gc')", job.id);
	}
	*ret = job;
	job = (struct job){ 0 };
	return 0;
}

int ops_adopt_again(struct controller *c, const struct where *where, struct job *job,
		    struct err *err)
{
	cleanup(adopting_finish) struct adopting a = { .c = c, .where = where };
	const struct spec spec = { .name = job->name };

	return open_adopting(&a, err) < 0 ? -1 : put_there(&a, job, &spec, err);
}

int ops_abandon(struct controller *c, struct job *job, struct err *err)
{
	struct backend *backend;

	if (controller_backend(c, job->cluster, &backend, err) < 0 ||
	    backend_abandon(backend, job, err) < 0)
		return -1;
	job->state = JOB_CANCELLED;
	job->ended_ns = controller_now_ns();
	job_set(job, reason, LET_GO);
	if (store_update_job(c->store, job, err) < 0)
		return -1;
	return leftovers_release(c, job, err);
}
