/* SPDX-License-Identifier: MIT */
/* Submitting a job; see submit.h. */
#include "submit.h"

#include <inttypes.h>
#include <pwd.h>
#include <string.h>
#include <sys/random.h>

#include "controller/ops/architecture.h"
#include "controller/ops/depend.h"
#include "controller/ops/fetch.h"
#include "controller/ops/image.h"
#include "controller/ops/internal.h"
#include "controller/ops/place.h"
#include "init/base/fs.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define UID_RANDOM 8
#define TEMPLATE_MAX (256 * 1024)

char *job_make_uid(struct err *err)
{
	uint8_t bytes[UID_RANDOM];
	char hex[2 * UID_RANDOM + 1];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
		err_set_errno(err, errno, "no random numbers");
		return NULL;
	}
	text_hex(span_of(bytes, sizeof(bytes)), hex, sizeof(hex));
	return str_printf("%08" PRIx64 "-%s", controller_now_ns() / NSEC_PER_SEC, hex);
}

void job_set_user(struct job *job)
{
	const struct passwd *user = getpwuid(geteuid());
	char number[24];

	snprintf(number, sizeof(number), "%u", (unsigned int)geteuid());
	job_set(job, user, user ? user->pw_name : number);
}

/* What the job is, without its number. */
static int define(const char *cluster, const struct place *place, const struct spec *spec,
		  struct job *job, struct err *err)
{
	cleanup_free char *uid = job_make_uid(err);
	cleanup_free char *line = spec_command_line(spec);
	cleanup_free char *dir = NULL;

	if (!uid)
		return -1;
	dir = place_job_dir(place, uid);
	job_set(job, uid, uid);
	job_set(job, name, spec->name ? spec->name : "");
	job_set(job, cluster, cluster);
	job_set(job, directory, dir);
	job_set(job, command, line);
	job_set(job, queue, spec->partition ? spec->partition : "");
	job_set(job, jobset, spec->jobset ? spec->jobset : "");
	job_set_user(job);
	job->created_ns = controller_now_ns();
	job->nodes = MAX(spec->nodes, UINT64_C(1));
	job->tasks = spec_ranks(spec);
	job_set(job, array, spec->array ? spec->array : "");
	return 0;
}

/*
 * The link tells whoever collects old bundles, from whatever workstation, that this one is in use.
 */
static int fill_directory(struct site *site, const struct job *job, const struct spec *spec,
			  const char *bundle, struct err *err)
{
	cleanup_free char *spec_path = fs_join(job->directory, "spec.json");
	cleanup_free char *link = fs_join(job->directory, "bundle");
	cleanup_free char *script = fs_join(job->directory, SPEC_SCRIPT_NAME);
	cleanup(buf_finish) struct buf json = BUF_INIT(SPEC_JSON_MAX);

	if (spec_to_json(spec, &json, err) < 0 ||
	    site_write(site, spec_path, buf_span(&json), 0600, err) < 0)
		return -1;
	if (spec->script && site_write(site, script, span_of_str(spec->script), 0700, err) < 0)
		return -1;
	return site_link(site, bundle, link, err);
}

/* What a machine cannot do is said when it is new, and not with every job. */
static void tell_degraded(struct controller *c, const char *backend, const char *degraded,
			  struct notes *notes)
{
	cleanup_free char *key = NULL, *before = NULL;
	char host[65] = "";

	if (gethostname(host, sizeof(host) - 1) < 0)
		return;
	key = str_printf("degraded %s@%s", backend, host);
	if (store_get_note(c->store, key, &before, NULL) < 0 ||
	    strcmp(before ? before : "", degraded) == 0)
		return;
	if (store_put_note(c->store, key, degraded, NULL) == 0 && degraded[0] != '\0')
		notes_add(notes,
			  "jobs run here without a sandbox of their own (%s); this is said once",
			  degraded);
}

/* Where it goes, what is there, and with what it is submitted. */
struct way {
	struct where where;
	struct backend *backend;
	struct site *site;
	struct place place;
	struct bundle here, bundle; /* for this machine, and for the nodes */
	struct architecture architecture;
	struct image_words words; /* of the image */
	char *installed;
	char *template;	      /* or NULL */
	char *edf, *edf_here; /* where a file of this machine goes, and which; or NULL */
	struct depend depend;
};

static void way_finish(struct way *way)
{
	place_finish(&way->place);
	image_words_finish(&way->words);
	bundle_finish(&way->here);
	bundle_finish(&way->bundle);
	free(way->installed);
	free(way->edf);
	free(way->edf_here);
	free(way->template);
	depend_finish(&way->depend);
}
DEFINE_CLEANUP_VALUE(struct way, way_finish)

static struct submission describe(const struct spec *spec, const struct way *way,
				  const struct job *job)
{
	return (struct submission){ .spec = spec,
				    .job = job,
				    .bundle = way->installed,
				    .has_squashfs = way->bundle.image != NULL,
				    .home = way->where.is_remote ? way->place.user_home : NULL,
				    .template = way->template };
}

static int hand_over(struct controller *c, const struct spec *spec, const struct way *way,
		     struct job *job, struct notes *notes, struct err *err)
{
	struct submission submission = describe(spec, way, job);
	struct submitted submitted;
	struct err own;

	submission.fetching = c->fetching.tell ? &c->fetching : NULL;
	if (backend_submit(way->backend, &submission, &submitted, err) < 0)
		return -1;
	job_set(job, native_id, submitted.native_id);
	job->state = submitted.state;
	if (store_update_job(c->store, job, err) < 0) {
		/* Nobody would find it again: better that it does not run. */
		if (backend_cancel(way->backend, &(const struct job *){ job }, 1, NULL) < 0)
			return err_wrap(err, "%s runs it as %s, and it could not be recorded",
					job->backend, job->native_id);
		return -1;
	}
	tell_degraded(c, job->backend, submitted.degraded, notes);
	/* Links to files of the user's choice are a convenience. */
	if (site_flush(way->site, &own) < 0)
		log_debug("job-%" PRIu64 ": %s", job->id, own.text);
	return 0;
}

/*
 * A file of this machine, or CLUSTER:PATH, goes with the job; a name, or an absolute path, is the
 * cluster's.
 */
static void choose_edf(struct way *way, struct spec *spec, const struct job *job)
{
	bool is_here =
		way->where.is_remote && spec->edf && spec->edf[0] != '/' && fs_exists(spec->edf);

	if (!is_here && !(spec->edf && fetch_is_elsewhere(spec->edf)))
		return;
	way->edf_here = str_dup(spec->edf);
	way->edf = fs_join(job->directory, "base.toml");
	spec->edf = way->edf;
}

static int bring_edf(struct controller *c, const struct way *way, struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(TEMPLATE_MAX);

	if (!way->edf)
		return 0;
	if (ops_fetch(c, way->edf_here, TEMPLATE_MAX, &text, NULL, err) < 0)
		return err_wrap(err, "--edf");
	return site_write(way->site, way->edf, buf_span(&text), 0600, err);
}

static int prepare_and_submit(struct controller *c, const struct spec *spec, const struct way *way,
			      struct job *job, struct notes *notes, struct err *err)
{
	cleanup(making_finish) struct making keys = { .site = way->site,
						      .tunnel = way->here.tunnel,
						      .bundle = way->installed,
						      .job = job,
						      .spec = spec };

	if (site_make_dir(way->site, job->directory, err) < 0 || bring_edf(c, way, err) < 0 ||
	    keys_begin_job(c, &way->where, &keys, err) < 0 ||
	    fill_directory(way->site, job, spec, way->installed, err) < 0 ||
	    session_write(way->site, job, spec, err) < 0)
		return -1;
	hosts_add_job(c, job, notes);
	if (keys_end_job(&keys, err) < 0)
		return -1;
	return hand_over(c, spec, way, job, notes, err);
}

static int read_template(struct controller *c, const struct where *where, char **ret,
			 struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(TEMPLATE_MAX);
	const char *name =
		where->settings ? config_text(c->config, where->settings, "template") : NULL;
	cleanup_free char *path = NULL;

	if (!name)
		return 0;
	path = paths_expand(&c->paths, name);
	if (fs_read_file(path, TEMPLATE_MAX, &text, err) < 0)
		return err_wrap(err, "'template' of cluster '%s'", where->cluster);
	*ret = buf_take_str(&text);
	return 0;
}

/* Where it goes, and what the configuration adds to it. */
static int complete(struct controller *c, const char *cluster, struct spec *spec, struct where *ret,
		    struct err *err)
{
	if (ops_choose(c, cluster, ret, err) < 0)
		return -1;
	if (!ret->settings)
		return 0;
	if (config_fill_spec(c->config, ret->context, ret->settings, spec, err) < 0)
		return -1;
	if (ret->runs_containers && !spec->image)
		return err_set(err, ERR_INVALID,
			       "--image: which? Jobs of cluster '%s' are containers, such as of "
			       "debian:12",
			       ret->cluster);
	if (!spec->launcher && (spec->image || spec->edf))
		spec->launcher = config_text(c->config, ret->settings, "launcher");
	return 0;
}

/*
 * The directory that we are in is none of the cluster's, and none of a container. Until the
 * cluster was asked for the user's home directory, something absolute stands for it.
 */
static bool wants_home(const struct where *where, struct spec *spec, const char *stand_in)
{
	bool is_contained = spec->image || spec->edf;

	if (!where->is_remote || spec->workdir)
		return false;
	spec->workdir = is_contained ? "/" : stand_in;
	return !is_contained;
}

/* Who takes the job, and where its files are. */
static int open_way(struct controller *c, struct way *way, struct job *job, struct err *err)
{
	if (controller_backend(c, way->where.cluster, &way->backend, err) < 0)
		return -1;
	way->site = backend_site(way->backend);
	job_set(job, backend, backend_name(way->backend));
	return place_find(c, &way->where, way->site, &way->place, err);
}

/*
 * What the nodes are, and whether the image and berth's programs are for them: before anything is
 * brought there.
 */
static int find_programs(struct controller *c, struct spec *spec, bool wants_command,
			 struct way *way, struct notes *notes, struct err *err)
{
	if (bundle_find(c->paths.program, &way->here, err) < 0 ||
	    architecture_find(c, &way->where, way->backend, spec->partition, &way->architecture,
			      err) < 0 ||
	    image_look_at(c, &way->where, way->architecture.name, wants_command, spec, &way->words,
			  notes, err) < 0)
		return -1;
	return architecture_bundle(c, &way->where, &way->architecture, &way->bundle, err);
}

/* Finds or makes all else that does not belong to one job. */
static int prepare_way(struct controller *c, struct way *way, struct err *err)
{
	if (place_install_bundle(c, &way->where, way->site, &way->place, &way->bundle,
				 &way->installed, err) < 0)
		return -1;
	return keys_make_host(c, way->here.tunnel, err);
}

/*
 * A backend may begin before there is a record: then the directory is there before that, too, and
 * collecting knows it when we die in between (jobdir_remove_left()).
 */
static int begin(const struct spec *spec, const struct way *way, const struct job *job,
		 struct err *err)
{
	const struct submission submission = describe(spec, way, job);

	if (!backend_prepares(way->backend))
		return 0;
	if (site_make_dir(way->site, job->directory, err) < 0)
		return -1;
	backend_prepare(way->backend, &submission);
	return 0;
}

/* The first error is the one to report; what this leaves, collecting finds later. */
static int undo(struct controller *c, const struct way *way, const struct job *job, struct err *err)
{
	struct err own;

	/* What was remembered of the cluster may not be true any more. */
	if (way->where.is_remote && job->id > 0)
		place_forget(c, &way->where);
	if (job->id == 0) {
		if (backend_prepares(way->backend) &&
		    site_remove(way->site, job->directory, &own) < 0)
			log_debug("%s", own.text);
		return -1;
	}
	if (leftovers_remove(c, job, NULL) == 0 && store_delete_job(c->store, job->id, NULL) == 0)
		return -1;
	return err_wrap(err, "job-%" PRIu64 " (not cleared away: run 'berth gc')", job->id);
}

int ops_submit(struct controller *c, const char *cluster, const struct spec *asked,
	       struct job *ret_job, struct notes *notes, struct err *err)
{
	struct spec own = *asked, *spec = &own;
	cleanup(job_finish) struct job job = { 0 };
	cleanup(way_finish) struct way way = { 0 };
	bool at_home, wants_command, is_early;

	job_init(&job);
	if (complete(c, cluster, spec, &way.where, err) < 0 ||
	    depend_resolve(c, &way.where, spec, &way.depend, err) < 0 ||
	    read_template(c, &way.where, &way.template, err) < 0)
		return -1;
	at_home = wants_home(&way.where, spec, "/");
	wants_command = image_stands_in(&way.where, spec);
	if (spec_check(spec, err) < 0 || open_way(c, &way, &job, err) < 0)
		return -1;
	/* An image may change what is run; all else is looked for beside what begins early. */
	is_early = backend_prepares(way.backend) && !spec->image;
	if (!is_early && find_programs(c, spec, wants_command, &way, notes, err) < 0)
		return -1;
	if (at_home)
		spec->workdir = way.place.user_home;
	if (define(way.where.cluster, &way.place, spec, &job, err) < 0)
		return -1;
	if (begin(spec, &way, &job, err) < 0 ||
	    (is_early && find_programs(c, spec, wants_command, &way, notes, err) < 0) ||
	    prepare_way(c, &way, err) < 0 || store_add_job(c->store, &job, err) < 0)
		return undo(c, &way, &job, err);
	choose_edf(&way, spec, &job);
	if (prepare_and_submit(c, spec, &way, &job, notes, err) < 0)
		return undo(c, &way, &job, err);
	*ret_job = job;
	job = (struct job){ 0 };
	return 0;
}

int ops_render(struct controller *c, const char *cluster, const struct spec *asked, struct buf *ret,
	       struct err *err)
{
	struct spec own = *asked, *spec = &own;
	struct where where;
	cleanup(job_finish) struct job job = { 0 };
	cleanup(depend_finish) struct depend depend = { 0 };
	cleanup_free char *dir = paths_job_dir(&c->paths, "UID"), *template = NULL;
	struct submission submission = {
		.spec = spec, .job = &job, .bundle = "/BUNDLE", .has_squashfs = true
	};
	cleanup(image_words_finish) struct image_words words = { 0 };
	struct architecture nodes;
	struct backend *known;
	bool wants_command;

	job_init(&job);
	job_set(&job, directory, dir);
	if (complete(c, cluster, spec, &where, err) < 0 ||
	    depend_resolve(c, &where, spec, &depend, err) < 0 ||
	    read_template(c, &where, &template, err) < 0)
		return -1;
	submission.template = template;
	(void)wants_home(&where, spec, "/HOME");
	wants_command = image_stands_in(&where, spec);
	if (spec_check(spec, err) < 0 || controller_backend(c, where.cluster, &known, err) < 0)
		return -1;
	/* The cluster is asked nothing; a registry only for what cannot be shown without it. */
	if (wants_command &&
	    (architecture_find(c, &where, NULL, spec->partition, &nodes, err) < 0 ||
	     image_look_at(c, &where, nodes.name, true, spec, &words, NULL, err) < 0))
		return -1;
	job_set(&job, backend, backend_name(known));
	return backend_render(known, &submission, ret, err);
}
