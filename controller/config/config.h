/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The configuration: which clusters there are, and which of them a verb is about.
 *
 *	~/.config/berth/config.yaml	the user's
 *	berth.yaml			of the project: in the working directory or above; it wins
 *	BERTH_CONTEXT, BERTH_CLUSTER	win over both
 *	--context, --cluster		win over all
 *
 * A cluster is a backend, the way to it, and options for jobs there. A context is a cluster and
 * options for jobs, so that one cluster can be used under two accounts; each cluster is a context
 * of its own name too. The clusters "docker", "local" and "slurm" (an engine, this machine, Slurm of it) are
 * always there. Files are foreign input: CONFIG_FILE_MAX bytes, CONFIG_NAMES_MAX names, unknown
 * keys refused with FILE:LINE:COLUMN.
 *
 * A berth.yaml comes with whatever was cloned or unpacked: it can choose and describe clusters and
 * jobs, but not run programs here or send files as tokens (settings.h, "project"), and one that
 * belongs to another user is not read.
 */

#include <stddef.h>
#include <stdint.h>

#include "controller/model/spec.h"
#include "init/base/cleanup.h"
#include "init/base/span.h"

#define CONFIG_FILE_MAX (1024 * 1024)
#define CONFIG_NAMES_MAX 60
#define CONFIG_LIST_MAX 64
#define CONFIG_NAME_MAX 40
#define CONFIG_PROJECT_FILE "berth.yaml"

struct config_texts {
	char **items;
	size_t len;
};

/* Options of jobs by their long names; both lists have one length. */
struct config_job {
	struct config_texts names, values;
};

struct config_relay {
	char *url;
	char *key;
	char *token_file;
	struct config_texts token_command;
};

struct config_relays {
	struct config_relay *items;
	size_t len;
};

/* Members that the file does not name are NULL, 0 or empty. */
struct config_cluster {
	char *name;
	char *backend;
	char *login;
	struct config_texts ssh_options;
	char *home;
	char *url;
	char *tls_dir;
	char *kubeconfig;
	char *kube_context;
	char *namespace;
	char *bundle_image;
	char *bundle_volume;
	char *token_file;
	struct config_texts token_command;
	char *oidc;
	char *client_id;
	char *client_secret_file;
	struct config_texts client_secret_command;
	struct config_texts scopes;
	char *grant;
	char *redirect_port;
	char *user;
	char *api;
	char *ssh_port;
	char *max_age;
	char *scheduler;
	char *architecture;
	char *bundle;
	char *machine, *platform;
	struct config_job job;
	char *launcher;
	char *image_entrypoint;
	char *template;
	struct config_relays relays;
	struct config_texts paths;
	struct config_texts allow;
	char *keep_size, *keep_jobs;
	uint64_t detach_ns;
};

struct config_context {
	char *name;
	char *cluster;
	struct config_job job;
};

struct config_clusters {
	struct config_cluster *items;
	size_t len;
};

struct config_contexts {
	struct config_context *items;
	size_t len;
};

struct config {
	char *context;
	struct config_contexts contexts;
	struct config_clusters clusters;
	struct config_cluster defaults;
	struct config_texts files; /* that were read */
};

enum config_place { CONFIG_TOP, CONFIG_CONTEXT, CONFIG_CLUSTER, CONFIG_RELAY };

enum config_kind {
	CONFIG_TEXT,
	CONFIG_DURATION,
	CONFIG_LIST,
	CONFIG_JOB,
	CONFIG_CONTEXTS,
	CONFIG_CLUSTERS,
	CONFIG_DEFAULTS,
	CONFIG_RELAYS,
};

/* A line of the table, for those that read it at run time. */
struct config_setting {
	enum config_place place;
	enum config_kind kind;
	const char *name;
	size_t offset; /* in the struct of the place */
	int (*check)(const char *value, struct err *err);
	bool project;
	const char *value;
	const char *help;
};

extern const struct config_setting config_settings[]; /* ends with a NULL name */

/* NULL: there is none of that name in this place. */
const struct config_setting *config_find_setting(enum config_place place, const char *name);

/* With the clusters that are always there. */
struct config *config_new(void);
struct config *config_free(struct config *config);
DEFINE_CLEANUP(struct config, config_free)

/*
 * Adds what a file says, over what was said before; file is its name for messages. After an error
 * the configuration is of no more use.
 */
int config_parse(struct config *config, const char *file, struct span text, bool is_project,
		 struct err *err) attr_must_use;

/*
 * The user's file, and that of the project of this directory; neither needs to be there. home ends
 * the way up.
 */
int config_load(const char *file, const char *dir, const char *home, struct config **ret,
		struct err *err) attr_must_use;

/* The names that flags and the environment give; NULL where they do not. */
struct config_choice {
	const char *context;
	const char *cluster;
};

/*
 * Where a verb is to act. *ret_context is NULL when no context of the file was chosen (a cluster
 * was, or nothing, which means the cluster "local"). ERR_NOT_FOUND, with what was perhaps meant.
 */
int config_choose(const struct config *config, const struct config_choice *choice,
		  const struct config_context **ret_context,
		  const struct config_cluster **ret_cluster, struct err *err) attr_must_use;

const struct config_context *config_find_context(const struct config *config, const char *name);
const struct config_cluster *config_find_cluster(const struct config *config, const char *name);
/* The same, or ERR_NOT_FOUND with what was perhaps meant. */
int config_cluster(const struct config *config, const char *name, const struct config_cluster **ret,
		   struct err *err) attr_must_use;

/* A setting of the cluster, or of the defaults where the cluster does not say it. */
const char *config_text(const struct config *config, const struct config_cluster *cluster,
			const char *name);
/* 0: neither says it. */
uint64_t config_duration(const struct config *config, const struct config_cluster *cluster,
			 const char *name);
const struct config_texts *config_list(const struct config *config,
				       const struct config_cluster *cluster, const char *name);
const struct config_relays *config_relays(const struct config *config,
					  const struct config_cluster *cluster);

/*
 * Gives the specification what it does not say itself: of the context (or NULL), then of the
 * cluster, then of the defaults. It borrows the texts.
 */
int config_fill_spec(const struct config *config, const struct config_context *context,
		     const struct config_cluster *cluster, struct spec *spec, struct err *err)
	attr_must_use;

/*
 * Prints a setting as `berth config get` does, by its dotted name ("clusters.daint.login",
 * "clusters.daint.job.partition"): lists one a line. ERR_NOT_FOUND: it has no value.
 */
int config_print(const struct config *config, const char *key, struct buf *ret, struct err *err)
	attr_must_use;

/* All of it, as a file that says the same. */
int config_print_all(const struct config *config, struct buf *ret, struct err *err) attr_must_use;

/*
 * What is done to a value of a file: it is set; words are added to a list, or removed from it.
 * Relays are words as well, "url=https://..." "key=..." for one that is set or added, and a URL for
 * one that is removed. Removing without words removes the key.
 */
enum config_change { CONFIG_SET, CONFIG_ADD, CONFIG_REMOVE };

struct config_edit {
	enum config_change change;
	const char *key;
	const char *const *values;
	size_t len;
};

/*
 * Changes a value in the text of a file and nothing else in it: comments and layout stay. The
 * result has been read back. ERR_NOT_FOUND: what is to be removed is not there. ERR_UNSUPPORTED for
 * what has to be written by hand.
 */
int config_edit(const char *file, struct span text, const struct config_edit *change,
		struct buf *ret, struct err *err) attr_must_use;

/* The table's checks, and of a cluster's or context's name. */
#define CONFIG_CHECKS(X)    \
	X(name)             \
	X(login)            \
	X(ssh_option)       \
	X(home)             \
	X(path_kind)        \
	X(port)             \
	X(age)              \
	X(scheduler)        \
	X(architecture)     \
	X(image_entrypoint) \
	X(allow)            \
	X(url)              \
	X(server)           \
	X(version)          \
	X(issuer)           \
	X(scope)            \
	X(grant)            \
	X(key)              \
	X(file)             \
	X(size)             \
	X(count)            \
	X(word)
#define X(check) int config_check_##check(const char *value, struct err *err) attr_must_use;
CONFIG_CHECKS(X)
#undef X
