/* SPDX-License-Identifier: MIT */
/* Reading the files of the configuration; see config.h. */
#include <string.h>

#include "controller/config/internal.h"
#include "controller/model/spec_file.h"
#include "controller/model/yaml.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

struct reader {
	struct yaml *yaml;
	struct config *config;
	bool is_project;
};

static int read_place(struct reader *r, enum config_place place, void *target, struct fy_node *node,
		      struct err *err);

/* A copy of a scalar that passes the check; NULL on failure. */
static char *read_text(struct reader *r, struct fy_node *node,
		       int (*check)(const char *value, struct err *err), struct err *err)
{
	size_t len = 0;
	const char *bytes = yaml_text(r->yaml, node, &len, err);
	cleanup_free char *text = bytes ? str_dup_len(bytes, len) : NULL;

	if (!text || (check && check(text, err) < 0))
		return NULL;
	return take_ptr(text);
}

static int replace_text(struct reader *r, struct fy_node *node, const struct config_setting *s,
			char **member, struct err *err)
{
	char *text = read_text(r, node, s->check, err);

	if (!text)
		return -1;
	free(*member);
	*member = text;
	return 0;
}

static int read_duration(struct reader *r, struct fy_node *node, uint64_t *member, struct err *err)
{
	cleanup_free char *text = read_text(r, node, NULL, err);

	if (!text)
		return -1;
	if (!text_parse_duration(text, member) || *member == 0)
		return err_set(err, ERR_INVALID,
			       "'%.40s' is not a duration: write it like 90s, 30m or 24h", text);
	return 0;
}

/* A sequence of texts, or one text that stands for itself. */
static int read_list(struct reader *r, struct fy_node *node, const struct config_setting *s,
		     struct config_texts *member, struct err *err)
{
	bool is_sequence = node && fy_node_is_sequence(node);
	struct fy_node *item = is_sequence ? NULL : node;
	void *iterator = NULL;

	config_texts_finish(member);
	while (!is_sequence || (item = fy_node_sequence_iterate(node, &iterator))) {
		cleanup_free char *text = read_text(r, item, s->check, err);

		if (!text)
			return -1;
		if (member->len == CONFIG_LIST_MAX)
			return err_set(err, ERR_LIMIT, "more than %d of them", CONFIG_LIST_MAX);
		config_texts_add(member, text, strlen(text));
		if (!is_sequence)
			break;
	}
	return 0;
}

static int refuse_option(const char *key, struct err *err)
{
	unsigned int least = TEXT_CLOSE + 1;
	const char *close = NULL;

	for (const struct spec_option *option = spec_options; option->name; option++) {
		unsigned int far = text_distance(key, option->name);

		if (far < least) {
			least = far;
			close = option->name;
		}
	}
	if (close)
		return err_set(err, ERR_INVALID, "no option of a job: did you mean '%s'?", close);
	return err_set(err, ERR_INVALID, "no option of a job: see 'berth run --help'");
}

static void drop_option(struct config_job *job, const char *name)
{
	size_t kept = 0;

	for (size_t i = 0; i < job->names.len; i++) {
		if (strcmp(job->names.items[i], name) == 0) {
			free(job->names.items[i]);
			free(job->values.items[i]);
			continue;
		}
		job->names.items[kept] = job->names.items[i];
		job->values.items[kept++] = job->values.items[i];
	}
	job->names.len = job->values.len = kept;
}

/* One value of an option, tried out on an empty specification. */
static int add_option(struct reader *r, struct config_job *job, const struct spec_option *option,
		      struct fy_node *node, struct err *err)
{
	cleanup_free char *text = read_text(r, node, config_check_word, err);
	struct spec scratch = { 0 };

	if (!text || spec_set(&scratch, option, text, err) < 0)
		return -1;
	if (option->check && option->check(option->name, text, err) < 0)
		return -1;
	if (job->names.len == 4 * CONFIG_LIST_MAX)
		return err_set(err, ERR_LIMIT, "too many options of jobs");
	config_texts_add(&job->names, option->name, strlen(option->name));
	config_texts_add(&job->values, text, strlen(text));
	return 0;
}

static int read_options(struct reader *r, struct config_job *job, const struct spec_option *option,
			struct fy_node *node, struct err *err)
{
	struct fy_node *item;
	void *iterator = NULL;

	drop_option(job, option->name);
	if (option->type != OPT_TYPE_LIST || !node || !fy_node_is_sequence(node))
		return add_option(r, job, option, node, err);
	while ((item = fy_node_sequence_iterate(node, &iterator))) {
		if (add_option(r, job, option, item, err) < 0)
			return -1;
	}
	return 0;
}

/* The key of a pair, and where we are from then on; NULL on failure. */
static char *read_key(struct reader *r, struct fy_node_pair *pair, struct err *err)
{
	return read_text(r, fy_node_pair_key(pair), NULL, err);
}

static int place_key(const struct reader *r, const char *key, struct err *err)
{
	cleanup_free char *shown = key ? str_printf("'%.60s'", key) : NULL;

	if (shown)
		text_make_printable(shown);
	return yaml_place(r->yaml, shown, err);
}

static int need_mapping(struct reader *r, struct fy_node *node, struct err *err)
{
	if (node && fy_node_is_mapping(node))
		return 0;
	if (node && fy_node_is_scalar(node))
		r->yaml->at = node;
	err_set(err, ERR_INVALID, "KEY: VALUE lines are needed here");
	return place_key(r, NULL, err);
}

static int read_job(struct reader *r, struct config_job *job, struct fy_node *node, struct err *err)
{
	struct fy_node_pair *pair;
	void *iterator = NULL;

	if (need_mapping(r, node, err) < 0)
		return -1;
	while ((pair = fy_node_mapping_iterate(node, &iterator))) {
		cleanup_free char *key = read_key(r, pair, err);
		const struct spec_option *option = key ? spec_find_option(key) : NULL;

		if (!key || (!option && refuse_option(key, err) < 0) ||
		    read_options(r, job, option, fy_node_pair_value(pair), err) < 0)
			return place_key(r, key, err);
	}
	return 0;
}

/* contexts and clusters: names, and what they have. */
static int read_names(struct reader *r, enum config_place place, struct fy_node *node,
		      struct err *err)
{
	struct fy_node_pair *pair;
	void *iterator = NULL;

	if (need_mapping(r, node, err) < 0)
		return -1;
	while ((pair = fy_node_mapping_iterate(node, &iterator))) {
		cleanup_free char *name = read_key(r, pair, err);
		void *target = NULL;

		if (!name || config_check_name(name, err) < 0)
			return place_key(r, name, err);
		if (place == CONFIG_CLUSTER)
			target = config_add_cluster(r->config, name);
		else
			target = config_add_context(r->config, name);
		if (!target) {
			err_set(err, ERR_LIMIT, "more than %d of them", CONFIG_NAMES_MAX);
			return place_key(r, name, err);
		}
		if (read_place(r, place, target, fy_node_pair_value(pair), err) < 0)
			return -1;
	}
	return 0;
}

static int check_relay(struct reader *r, const struct config_relay *relay, struct err *err)
{
	if (!relay->url || !relay->key)
		err_set(err, ERR_INVALID, "a relay needs a url and a key");
	else if (relay->token_file && relay->token_command.len > 0)
		err_set(err, ERR_INVALID, "token_file and token_command exclude each other");
	else
		return 0;
	return place_key(r, NULL, err);
}

static int read_relays(struct reader *r, struct config_relays *relays, struct fy_node *node,
		       struct err *err)
{
	struct fy_node *item;
	void *iterator = NULL;

	config_relays_finish(relays);
	if (!node || !fy_node_is_sequence(node)) {
		err_set(err, ERR_INVALID, "a list is needed here: '- url: https://...'");
		return place_key(r, NULL, err);
	}
	while ((item = fy_node_sequence_iterate(node, &iterator))) {
		struct config_relay *relay;

		if (relays->len == CONFIG_LIST_MAX) {
			err_set(err, ERR_LIMIT, "more than %d relays", CONFIG_LIST_MAX);
			return place_key(r, NULL, err);
		}
		relays->items = alloc_grow(relays->items, relays->len + 1, sizeof(*relay));
		relay = &relays->items[relays->len++];
		*relay = (struct config_relay){ 0 };
		if (read_place(r, CONFIG_RELAY, relay, item, err) < 0 ||
		    check_relay(r, relay, err) < 0)
			return -1;
	}
	return 0;
}

static int refuse_key(enum config_place place, const char *key, struct err *err)
{
	unsigned int least = TEXT_CLOSE + 1;
	const char *close = NULL;

	if (place == CONFIG_RELAY && strcmp(key, "token") == 0)
		return err_set(err, ERR_INVALID,
			       "a token never stands in a configuration: name a file that holds it "
			       "(token_file) or a command that prints it (token_command)");
	if (place == CONFIG_CLUSTER && spec_find_option(key))
		return err_set(err, ERR_INVALID,
			       "no such key here: options of jobs stand below "
			       "'job:'");
	for (const struct config_setting *s = config_settings; s->name; s++) {
		unsigned int far = s->place == place ? text_distance(key, s->name) : least;

		if (far < least) {
			least = far;
			close = s->name;
		}
	}
	if (close)
		return err_set(err, ERR_INVALID, "no such key: did you mean '%s'?", close);
	return err_set(err, ERR_INVALID, "no such key: see berth-config(5)");
}

/* Of scalars and lists of them; the caller says where it is wrong. */
static int read_value(struct reader *r, const struct config_setting *s, void *member,
		      struct fy_node *node, struct err *err)
{
	switch (s->kind) {
	case CONFIG_TEXT:
		return replace_text(r, node, s, member, err);
	case CONFIG_DURATION:
		return read_duration(r, node, member, err);
	case CONFIG_LIST:
		return read_list(r, node, s, member, err);
	case CONFIG_JOB:
	case CONFIG_CONTEXTS:
	case CONFIG_CLUSTERS:
	case CONFIG_DEFAULTS:
	case CONFIG_RELAYS:
		break;
	}
	return err_set(err, ERR_INTERNAL, "no value");
}

static int read_setting(struct reader *r, const struct config_setting *s, void *target,
			struct fy_node *node, struct err *err)
{
	void *member = (char *)target + s->offset;

	switch (s->kind) {
	case CONFIG_JOB:
		return read_job(r, member, node, err);
	case CONFIG_CONTEXTS:
		return read_names(r, CONFIG_CONTEXT, node, err);
	case CONFIG_CLUSTERS:
		return read_names(r, CONFIG_CLUSTER, node, err);
	case CONFIG_DEFAULTS:
		return read_place(r, CONFIG_CLUSTER, member, node, err);
	case CONFIG_RELAYS:
		return read_relays(r, member, node, err);
	case CONFIG_TEXT:
	case CONFIG_DURATION:
	case CONFIG_LIST:
		break;
	}
	return read_value(r, s, member, node, err) < 0 ? place_key(r, s->name, err) : 0;
}

static int read_place(struct reader *r, enum config_place place, void *target, struct fy_node *node,
		      struct err *err)
{
	struct fy_node_pair *pair;
	void *iterator = NULL;

	/* "slurm:" with nothing behind it names a cluster that needs no settings. */
	if (place != CONFIG_TOP && (!node || fy_node_is_null(node)))
		return 0;
	if (need_mapping(r, node, err) < 0)
		return -1;
	while ((pair = fy_node_mapping_iterate(node, &iterator))) {
		cleanup_free char *key = read_key(r, pair, err);
		const struct config_setting *s = key ? config_find_setting(place, key) : NULL;

		if (!key || (!s && refuse_key(place, key, err) < 0))
			return place_key(r, key, err);
		if (r->is_project && !s->project) {
			err_set(err, ERR_DENIED,
				"only your own configuration may say this: it runs programs here, or "
				"decides who gets secrets");
			return place_key(r, key, err);
		}
		if (read_setting(r, s, target, fy_node_pair_value(pair), err) < 0)
			return -1;
	}
	return 0;
}

/* What the names of clusters promise has to be true. */
static int check_clusters(const char *file, const struct config *config, struct err *err)
{
	for (size_t i = 0; i < config->clusters.len; i++) {
		const struct config_cluster *cluster = &config->clusters.items[i];

		if (cluster->backend && strcmp(cluster->name, cluster->backend) != 0 &&
		    config_is_always_there(cluster->name))
			return err_set(
				err, ERR_INVALID,
				"%s: the cluster '%s' is the backend of that name: call this "
				"one otherwise",
				file, cluster->name);
		if (cluster->login && cluster->backend && strcmp(cluster->backend, "local") == 0)
			return err_set(err, ERR_INVALID,
				       "%s: cluster '%s': 'local' runs jobs on this machine: leave "
				       "'login' or 'backend' out",
				       file, cluster->name);
	}
	return 0;
}

int config_parse(struct config *config, const char *file, struct span text, bool is_project,
		 struct err *err)
{
	cleanup(yaml_close) struct yaml y = { 0 };
	struct reader r = { .yaml = &y, .config = config, .is_project = is_project };
	struct fy_node *root;
	size_t documents = 0;

	if (text.len > CONFIG_FILE_MAX)
		return err_set(err, ERR_LIMIT, "%s: larger than %d MiB", file,
			       CONFIG_FILE_MAX >> 20);
	if (yaml_open(&y, file, text, err) < 0)
		return -1;
	while ((root = yaml_next(&y))) {
		if (documents++ > 0)
			return err_set(err, ERR_INVALID, "%s: more than one document", file);
		if (read_place(&r, CONFIG_TOP, config, root, err) < 0)
			return -1;
	}
	if (yaml_check_end(&y, err) < 0 || check_clusters(file, config, err) < 0)
		return -1;
	config_texts_add(&config->files, file, strlen(file));
	return 0;
}
