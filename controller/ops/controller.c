/* SPDX-License-Identifier: MIT */
/* What all operations work on; see controller.h. */
#include "controller.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controller/ops/internal.h"
#include "controller/ops/place.h"
#include "controller/ops/tokens.h"
#include "init/base/log.h"

struct controller_choice controller_choice;

/* What libraries of ours tell goes to standard error, for people. */
static void set_verbose(void)
{
	static const enum log_level levels[] = { LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

	if (controller_choice.verbose > 0)
		log_setup("berth", STDERR_FILENO,
			  levels[MIN(controller_choice.verbose, UINT64_C(2))], LOG_FORMAT_TEXT);
}

int controller_open(struct controller **ret, struct err *err)
{
	cleanup(controller_close) struct controller *c = new_zero(struct controller);

	set_verbose();

	if (paths_init(&c->paths, err) < 0 || paths_make_state(&c->paths, err) < 0)
		return -1;
	c->store = store_new(c->paths.database);
	c->ssh = (struct sshconf){
		.config = c->paths.ssh_config,
		.jobs_dir = c->paths.ssh_jobs_dir,
		.state_dir = c->paths.state_dir,
		.known_hosts = c->paths.known_hosts,
		.program = c->paths.program,
	};
	*ret = take_ptr(c);
	return 0;
}

struct controller *controller_close(struct controller *c)
{
	if (c) {
		for (size_t i = 0; i < c->clusters_len; i++) {
			free(c->clusters[i].name);
			backend_close(c->clusters[i].backend);
		}
		for (size_t i = 0; i < c->tokens_len; i++) {
			free(c->tokens[i].cluster);
			token_source_close(c->tokens[i].source);
		}
		argv_finish(&c->spare);
		store_close(c->store);
		config_free(c->config);
		paths_finish(&c->paths);
		free(c);
	}
	return NULL;
}

static struct backend **find_open(struct controller *c, const char *cluster)
{
	for (size_t i = 0; i < c->clusters_len; i++) {
		if (strcmp(c->clusters[i].name, cluster) == 0)
			return &c->clusters[i].backend;
	}
	return NULL;
}

static void add_open(struct controller *c, const char *cluster, struct backend *backend)
{
	assert(c->clusters_len < CONTROLLER_CLUSTERS_MAX);
	c->clusters[c->clusters_len].name = str_dup(cluster);
	c->clusters[c->clusters_len++].backend = backend;
}

void controller_tell_progress(struct controller *c,
			      void (*tell)(void *arg, uint64_t done, uint64_t total), void *arg)
{
	c->progress = (struct child_progress){ tell, arg };
}

void controller_tell_fetching(struct controller *c,
			      void (*tell)(void *arg, uint64_t done, uint64_t total), void *arg)
{
	c->fetching = (struct child_progress){ tell, arg };
}

void controller_use_backend(struct controller *c, struct backend *backend)
{
	struct backend **before = find_open(c, backend_name(backend));

	if (!before) {
		add_open(c, backend_name(backend), backend);
		return;
	}
	backend_close(*before);
	*before = backend;
}

bool controller_find_backend(struct controller *c, const char *cluster, struct backend **ret)
{
	struct backend **open = find_open(c, cluster);

	if (open)
		*ret = *open;
	return open;
}

static char *file_of(const struct controller *c, const struct where *where, const char *key)
{
	return paths_expand(&c->paths, config_text(c->config, where->settings, key));
}

static int open_backend(struct controller *c, const struct where *where, struct site *site,
			struct backend **ret, struct err *err)
{
	struct backend_settings settings = { 0 };
	cleanup_free char *tls_dir = NULL, *kubeconfig = NULL;

	if (where->settings) {
		if (tokens_of(c, where, &settings.tokens, err) < 0)
			return -1;
		settings.url = config_text(c->config, where->settings, "url");
		settings.user = config_text(c->config, where->settings, "user");
		tls_dir = file_of(c, where, "tls_dir");
		kubeconfig = file_of(c, where, "kubeconfig");
		settings.tls_dir = tls_dir;
		settings.kubeconfig = kubeconfig;
		settings.kube_context = config_text(c->config, where->settings, "kube_context");
		settings.namespace = config_text(c->config, where->settings, "namespace");
		settings.bundle_image = config_text(c->config, where->settings, "bundle_image");
		settings.bundle_volume = config_text(c->config, where->settings, "bundle_volume");
		settings.api = config_text(c->config, where->settings, "api");
	}
	return backend_open(where->backend, &settings, site, ret, err);
}

int controller_backend(struct controller *c, const char *cluster, struct backend **ret,
		       struct err *err)
{
	cleanup(site_close) struct site *site = NULL;
	struct backend *backend;
	struct where where;

	if (controller_find_backend(c, cluster, ret))
		return 0;
	if (strcmp(cluster, JOB_IMPORTED) == 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "the job came in a file: its scheduler cannot be asked from here; "
			       "'berth attach' can where there is a login");
	if (c->clusters_len == CONTROLLER_CLUSTERS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d clusters", CONTROLLER_CLUSTERS_MAX);
	/* What needs no configuration shall work when there is something wrong with that. */
	if (strcmp(cluster, "local") == 0)
		where = (struct where){ .cluster = cluster, .backend = cluster };
	else if (ops_choose(c, cluster, &where, err) < 0)
		return -1;
	if (place_open_site(c, &where, &site, err) < 0 ||
	    open_backend(c, &where, site, &backend, err) < 0)
		return err_wrap(err, "cluster '%s'", cluster);
	site = NULL;
	add_open(c, cluster, backend);
	*ret = backend;
	return 0;
}

uint64_t controller_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

void notes_add(struct notes *notes, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list args;

	if (notes->len == NOTES_MAX)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	notes->items[notes->len++] = str_dup(text);
}

void notes_finish(struct notes *notes)
{
	for (size_t i = 0; i < notes->len; i++)
		free(notes->items[i]);
	*notes = (struct notes){ 0 };
}
