/* SPDX-License-Identifier: MIT */
/* Where the files of a cluster are; see place.h. */
#include "place.h"

#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "controller/backends/firecrest/site.h"
#include "controller/backends/jobdir.h"
#include "controller/backends/site_ssh.h"
#include "controller/ops/tokens.h"
#include "controller/run/remote.h"
#include "init/base/fs.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define TEXT_MAX (1024 * 1024)
#define FEW_RANKS 16
#define PACK_MAX (512 * 1024 * 1024)
#define ENDPOINT_MAX 65536

static int open_firecrest(struct controller *c, const struct where *where, struct site **ret,
			  struct err *err)
{
	struct firecrest_config config = {
		.url = config_text(c->config, where->settings, "url"),
		.system_name = config_text(c->config, where->settings, "system"),
	};
	const char *scheduler = config_text(c->config, where->settings, "scheduler");
	struct firecrest *fc;

	config.is_pbs = scheduler && strcmp(scheduler, "pbs") == 0;
	if (tokens_of(c, where, &config.tokens, err) < 0 || firecrest_open(&config, &fc, err) < 0)
		return -1;
	*ret = site_firecrest_new(fc);
	return 0;
}

int place_open_site(struct controller *c, const struct where *where, struct site **ret,
		    struct err *err)
{
	const char *run_time = getenv("XDG_RUNTIME_DIR");
	cleanup_free char *first =
		run_time && run_time[0] == '/' ? fs_join(run_time, "berth") : NULL;
	cleanup_free char *second = fs_join(c->paths.state_dir, "ssh");
	const char *const directories[] = { first ? first : second, second, NULL };
	const struct config_texts *listed;
	cleanup(argv_finish) struct argv options = { 0 };
	static const char *const none[] = { NULL };
	struct site_ssh_plan plan = { .directories = directories };

	*ret = NULL;
	if (!where->is_remote)
		return 0;
	if (strcmp(where->backend, "firecrest") == 0)
		return open_firecrest(c, where, ret, err);
	if ((first && fs_make_dirs(first, 0700, err) < 0) || fs_make_dirs(second, 0700, err) < 0)
		return -1;
	listed = config_list(c->config, where->settings, "ssh_options");
	for (size_t i = 0; i < listed->len; i++)
		argv_add(&options, listed->items[i]);
	plan.login = config_text(c->config, where->settings, "login");
	plan.options = options.len ? argv_words(&options) : none;
	plan.may_ask = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
	*ret = site_ssh_new(&plan);
	return 0;
}

void place_finish(struct place *place)
{
	free(place->home);
	free(place->user_home);
	*place = (struct place){ 0 };
}

/* "~/x" and "$NAME/x" as a word of the shell there. */
static bool add_home(struct buf *script, const char *home)
{
	size_t len;

	if (!home)
		return buf_printf(script, "\"${BERTH_HOME:-$HOME/.berth}\"");
	if (home[0] == '~')
		return buf_printf(script, "\"$HOME\"") && remote_quote(script, home + 1);
	if (home[0] != '$')
		return remote_quote(script, home);
	len = strcspn(home, "/");
	return buf_printf(script, "\"${%.*s:?is not set there}\"", (int)len - 1, home + 1) &&
	       remote_quote(script, home + len);
}

static bool add_profile(struct buf *script, const char *home)
{
	if (!home || home[0] != '$')
		return true;
	/* Variables of a site are often set for login shells only. */
	return buf_printf(script,
			  "[ -n \"${%.*s:-}\" ] || ! [ -r /etc/profile ] || "
			  ". /etc/profile >/dev/null 2>&1\n",
			  (int)strcspn(home, "/") - 1, home + 1);
}

static char *note_key(const char *what, const struct where *where)
{
	return str_printf("%s %s", what, where->cluster);
}

/* "WHAT\nUSER_HOME\nHOME\n", where WHAT is what it depends on. */
static bool take_answer(const char *text, const char *what, struct place *ret)
{
	size_t len = strlen(what);
	const char *user_home, *home;

	if (strncmp(text, what, len) != 0 || text[len] != '\n')
		return false;
	user_home = text + len + 1;
	home = strchr(user_home, '\n');
	if (!home || user_home[0] != '/' || home[1] != '/' || !strchr(home + 1, '\n'))
		return false;
	ret->user_home = str_dup_len(user_home, (size_t)(home - user_home));
	ret->home = str_dup_len(home + 1, strcspn(home + 1, "\n"));
	return true;
}

static int ask_home(struct site *site, const char *home, const char *what, struct buf *ret,
		    struct err *err)
{
	cleanup(buf_finish) struct buf script = BUF_INIT(TEXT_MAX);

	if (!buf_printf(ret, "%s\n", what) || !add_profile(&script, home) ||
	    !buf_printf(&script, "h=") || !add_home(&script, home) ||
	    !buf_printf(&script, "\nprintf '%%s\\n%%s\\n' \"$HOME\" \"$h\"\n"))
		return err_set(err, ERR_LIMIT, "too long");
	return site_ssh_script(site, buf_span(&script), ret, err);
}

static int ask_site(struct site *site, const char *home, const char *what, struct buf *ret,
		    struct err *err)
{
	cleanup_free char *found = NULL, *user_home = NULL;

	if (site_find_home(site, home, &found, &user_home, err) < 0)
		return -1;
	return buf_printf(ret, "%s\n%s\n%s\n", what, user_home, found)
		       ? 0
		       : err_set(err, ERR_LIMIT, "too long");
}

static int find_here(struct controller *c, const struct where *where, struct place *ret,
		     struct err *err)
{
	const char *home = where->settings ? config_text(c->config, where->settings, "home") : NULL;

	if (home && home[0] == '$') {
		cleanup_free char *name = str_dup_len(home + 1, strcspn(home, "/") - 1);
		const char *value = getenv(name);

		if (!value || value[0] != '/')
			return err_set(err, ERR_INVALID, "'home' of cluster '%s': %s is not set",
				       where->cluster, name);
		ret->home = str_printf("%s%s", value, home + strcspn(home, "/"));
	} else {
		ret->home = paths_expand(&c->paths, home ? home : c->paths.berth_home);
	}
	ret->user_home = str_dup(c->paths.home);
	return 0;
}

int place_find(struct controller *c, const struct where *where, struct site *site,
	       struct place *ret, struct err *err)
{
	cleanup_free char *key = note_key("home", where), *note = NULL, *what = NULL;
	cleanup(buf_finish) struct buf answer = BUF_INIT(TEXT_MAX);
	const char *home;

	if (!site)
		return find_here(c, where, ret, err);
	home = config_text(c->config, where->settings, "home");
	what = str_printf("%s %s", site->login, home ? home : "");
	if (store_get_note(c->store, key, &note, err) < 0)
		return -1;
	if (note && take_answer(note, what, ret))
		return 0;
	if ((site_can_run(site) ? ask_home(site, home, what, &answer, err)
				: ask_site(site, home, what, &answer, err)) < 0)
		return -1;
	if (!take_answer(buf_str(&answer), what, ret))
		return err_set(err, ERR_INVALID, "'home' of cluster '%s' is no absolute path on %s",
			       where->cluster, site->login);
	return store_put_note(c->store, key, buf_str(&answer), err);
}

void place_forget(struct controller *c, const struct where *where)
{
	cleanup_free char *home = note_key("home", where), *bundle = note_key("bundle", where);

	if (store_put_note(c->store, home, "", NULL) < 0 ||
	    store_put_note(c->store, bundle, "", NULL) < 0)
		log_debug("what is known of %s is not forgotten", where->cluster);
}

char *place_job_dir(const struct place *place, const char *uid)
{
	return str_printf("%s/jobs/%s", place->home, uid);
}

static bool add_begin(struct buf *script, const char *images)
{
	return buf_printf(script, "umask 022\nmkdir -p ") && remote_quote(script, images) &&
	       buf_printf(script, " && cd ") && remote_quote(script, images) &&
	       buf_printf(script, " || exit 96\n");
}

/* 1: it is there; 0: it is not. */
static int is_installed(struct site *site, const char *images, const char *digest, struct err *err)
{
	cleanup(buf_finish) struct buf script = BUF_INIT(TEXT_MAX), answer = BUF_INIT(TEXT_MAX);

	if (!add_begin(&script, images) ||
	    !buf_printf(&script, "[ ! -x %s/berth-init ] || { touch %s; echo there; }\n", digest,
			digest))
		return err_set(err, ERR_LIMIT, "too long");
	if (site_ssh_script(site, buf_span(&script), &answer, err) < 0)
		return -1;
	return strcmp(buf_str(&answer), "there\n") == 0;
}

static int upload(struct site *site, const char *images, const struct bundle *bundle,
		  const char *digest, const struct child_progress *progress, struct err *err)
{
	cleanup(buf_finish) struct buf pack = BUF_INIT(PACK_MAX), script = BUF_INIT(TEXT_MAX);
	cleanup(buf_finish) struct buf answer = BUF_INIT(TEXT_MAX);
	cleanup_free char *part = NULL, *path = NULL;
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		return err_set_errno(err, errno, "no random numbers");
	part = str_printf(".%016" PRIx64 ".part", number);
	path = str_printf("%s/%s.pack", images, part);
	if (!add_begin(&script, images) ||
	    bundle_pack(bundle, digest, part, &pack, &script, err) < 0)
		return -1;
	log_info("uploading berth's programs to %s, once for this version", site->login);
	if (site_ssh_upload(site, path, buf_span(&pack), progress, err) < 0)
		return -1;
	return site_ssh_script(site, buf_span(&script), &answer, err);
}

static int install_there(struct site *site, const char *images, const struct bundle *bundle,
			 const char *digest, const struct child_progress *progress, struct err *err)
{
	int there = is_installed(site, images, digest, err);

	if (there != 0)
		return there < 0 ? -1 : 0;
	return upload(site, images, bundle, digest, progress, err);
}

int place_install_bundle(struct controller *c, const struct where *where, struct site *site,
			 const struct place *place, const struct bundle *bundle, char **ret_dir,
			 struct err *err)
{
	cleanup_free char *key = note_key("bundle", where), *note = NULL, *what = NULL;
	cleanup_free char *images = str_printf("%s/images", place->home);
	const struct child_progress *progress = c->progress.tell ? &c->progress : NULL;
	char digest[BUNDLE_DIGEST_SIZE];

	if (!site)
		return bundle_install(c, images, bundle, ret_dir, err);
	if (bundle_digest(c, bundle, digest, err) < 0 ||
	    store_get_note(c->store, key, &note, err) < 0)
		return -1;
	what = str_printf("%s %s/%s", site->login, images, digest);
	if (!note || strcmp(note, what) != 0) {
		if ((site_can_run(site) ? install_there(site, images, bundle, digest, progress, err)
					: bundle_bring(site, images, bundle, digest, err)) < 0)
			return err_wrap(err, "cannot install berth's programs on the cluster");
		if (store_put_note(c->store, key, what, err) < 0)
			return -1;
	}
	*ret_dir = str_printf("%s/%s", images, digest);
	return 0;
}

/* "LOGIN DIRECTORY", as place_install_bundle() notes it. */
int place_installed_tunnel(struct controller *c, const struct where *where, char **ret,
			   struct err *err)
{
	cleanup_free char *key = note_key("bundle", where), *note = NULL;
	const char *login = config_text(c->config, where->settings, "login");
	size_t len = login ? strlen(login) : 0;

	*ret = NULL;
	if (store_get_note(c->store, key, &note, err) < 0)
		return -1;
	if (note && len > 0 && strncmp(note, login, len) == 0 && note[len] == ' ')
		*ret = str_printf("%s/berth-tunnel", note + len + 1);
	return 0;
}

static char *endpoint_copy(const struct controller *c, const struct job *job, unsigned int rank)
{
	return str_printf("%s/endpoints/%s.%u.json", c->paths.state_dir, job->uid, rank);
}

/* The status comes with the endpoint: one question. */
static int fetch_endpoint(struct site *site, const struct job *job, unsigned int rank,
			  struct buf *ret, bool *ended, struct err *err)
{
	cleanup_free char *prefixes = str_printf("endpoint.%u. status.%u.", rank, rank);
	cleanup_free char *path = str_printf("%s/endpoint.%u.json", job->directory, rank);
	const char *dir = job->directory;
	struct status status;

	if (site_prefetch(site, &dir, 1, prefixes, err) < 0 ||
	    site_read(site, path, 0, ENDPOINT_MAX, ret, err) < 0)
		return -1;
	if (ended)
		*ended = jobdir_read_status(site, job->directory, rank, &status, NULL) == 1 &&
			 status.exited;
	return 0;
}

int place_put_endpoint(struct controller *c, const struct job *job, unsigned int rank,
		       struct span text, struct err *err)
{
	cleanup_free char *copy = endpoint_copy(c, job, rank);
	cleanup_free char *dir = fs_join(c->paths.state_dir, "endpoints");

	if (fs_make_dirs(dir, 0700, err) < 0)
		return -1;
	return fs_write_file(copy, text, 0600, err);
}

char *place_known_endpoint(struct controller *c, const struct site *site, const struct job *job,
			   unsigned int rank)
{
	bool is_here = !site_is_remote(site) && !job_is_imported(job);
	cleanup_free char *path = is_here ? str_printf("%s/endpoint.%u.json", job->directory, rank)
					  : endpoint_copy(c, job, rank);

	return fs_exists(path) ? take_ptr(path) : NULL;
}

static int endpoint_there(struct controller *c, struct site *site, const struct job *job,
			  unsigned int rank, char **ret, bool *ended, struct err *err)
{
	cleanup_free char *copy = endpoint_copy(c, job, rank);
	cleanup(buf_finish) struct buf text = BUF_INIT(ENDPOINT_MAX);
	struct err own;

	if (fetch_endpoint(site, job, rank, &text, ended, &own) < 0) {
		if (own.kind == ERR_NOT_FOUND || !fs_exists(copy))
			return err_set(err, own.kind, "%s", own.text);
		log_warn("%s; going where the job was last", own.text);
	} else if (place_put_endpoint(c, job, rank, buf_span(&text), err) < 0) {
		return -1;
	}
	*ret = take_ptr(copy);
	return 0;
}

int place_endpoint(struct controller *c, struct backend *backend, const struct job *job,
		   unsigned int rank, char **ret, bool *ended, struct err *err)
{
	struct site *site = backend_site(backend);
	struct status status;

	if (job_check_rank(job, rank, err) < 0)
		return -1;
	if (site_is_remote(site))
		return endpoint_there(c, site, job, rank, ret, ended, err);
	if (backend_endpoint(backend, job, rank, ret, err) < 0)
		return -1;
	if (ended)
		*ended = jobdir_read_status(NULL, job->directory, rank, &status, NULL) == 1 &&
			 status.exited;
	return 0;
}

int place_keep_endpoint(struct controller *c, struct backend *backend, const struct job *job,
			unsigned int rank, char **ret, struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(ENDPOINT_MAX);
	cleanup_free char *path = str_printf("%s/endpoint.%u.json", job->directory, rank);
	struct site *site = backend_site(backend);

	if (site_is_remote(site) && (site_read(site, path, 0, ENDPOINT_MAX, &text, err) < 0 ||
				     place_put_endpoint(c, job, rank, buf_span(&text), err) < 0))
		return -1;
	/* What is in a container is not here before somebody asks. */
	if (backend_runs_containers(backend))
		return backend_endpoint(backend, job, rank, ret, err);
	*ret = place_known_endpoint(c, site, job, rank);
	return *ret ? 0 : err_set(err, ERR_NOT_FOUND, "%s: there is none", path);
}

static void drop_listed_endpoints(struct controller *c, const struct job *job)
{
	cleanup_free char *dir = fs_join(c->paths.state_dir, "endpoints");
	cleanup_free char *begin = str_printf("%s.", job->uid);
	DIR *list = opendir(dir);
	struct dirent *entry;

	while (list && (entry = readdir(list))) {
		cleanup_free char *path = fs_join(dir, entry->d_name);

		if (strncmp(entry->d_name, begin, strlen(begin)) == 0 && unlink(path) < 0)
			log_debug("%s: %s", path, strerror(errno));
	}
	if (list)
		closedir(list);
}

/* Of a job with few ranks, their names are tried; of others, the directory is looked through. */
void place_drop_endpoints(struct controller *c, const struct job *job)
{
	uint64_t rank = 0;

	if (job->tasks > FEW_RANKS || job_is_array(job)) {
		drop_listed_endpoints(c, job);
		return;
	}
	for (; job_next_rank(job, rank, &rank); rank++) {
		cleanup_free char *copy = endpoint_copy(c, job, (unsigned int)rank);

		if (unlink(copy) < 0 && errno != ENOENT)
			log_debug("%s: %s", copy, strerror(errno));
	}
}
