/* SPDX-License-Identifier: MIT */
/* The configuration in memory; see config.h. */
#include "config.h"

#include <string.h>

#include "controller/config/internal.h"
#include "controller/model/spec_file.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define FALLBACK "local"

static const char *const always_there[] = { "docker", "local", "slurm" };

bool config_is_always_there(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(always_there); i++) {
		if (strcmp(always_there[i], name) == 0)
			return true;
	}
	return false;
}

void config_texts_add(struct config_texts *texts, const char *text, size_t len)
{
	texts->items = alloc_grow(texts->items, texts->len + 1, sizeof(*texts->items));
	texts->items[texts->len++] = str_dup_len(text, len);
}

void config_texts_finish(struct config_texts *texts)
{
	for (size_t i = 0; i < texts->len; i++)
		free(texts->items[i]);
	free(texts->items);
	*texts = (struct config_texts){ 0 };
}

static void job_finish_options(struct config_job *job)
{
	config_texts_finish(&job->names);
	config_texts_finish(&job->values);
}

void config_relays_finish(struct config_relays *relays)
{
	for (size_t i = 0; i < relays->len; i++) {
		free(relays->items[i].url);
		free(relays->items[i].key);
		free(relays->items[i].token_file);
		config_texts_finish(&relays->items[i].token_command);
	}
	free(relays->items);
	*relays = (struct config_relays){ 0 };
}

static void cluster_finish(struct config_cluster *cluster)
{
	for (const struct config_setting *s = config_settings; s->name; s++) {
		void *member = (char *)cluster + s->offset;

		if (s->place == CONFIG_CLUSTER && s->kind == CONFIG_TEXT)
			free(*(char **)member);
		else if (s->place == CONFIG_CLUSTER && s->kind == CONFIG_LIST)
			config_texts_finish(member);
	}
	free(cluster->name);
	config_relays_finish(&cluster->relays);
	job_finish_options(&cluster->job);
}

struct config_cluster *config_add_cluster(struct config *config, const char *name)
{
	struct config_clusters *clusters = &config->clusters;
	struct config_cluster *known =
		(struct config_cluster *)(uintptr_t)config_find_cluster(config, name);

	if (known || clusters->len == CONFIG_NAMES_MAX)
		return known;
	clusters->items = alloc_grow(clusters->items, clusters->len + 1, sizeof(*clusters->items));
	clusters->items[clusters->len] = (struct config_cluster){ .name = str_dup(name) };
	return &clusters->items[clusters->len++];
}

struct config_context *config_add_context(struct config *config, const char *name)
{
	struct config_contexts *contexts = &config->contexts;
	struct config_context *known =
		(struct config_context *)(uintptr_t)config_find_context(config, name);

	if (known || contexts->len == CONFIG_NAMES_MAX)
		return known;
	contexts->items = alloc_grow(contexts->items, contexts->len + 1, sizeof(*contexts->items));
	contexts->items[contexts->len] = (struct config_context){ .name = str_dup(name) };
	return &contexts->items[contexts->len++];
}

struct config *config_new(void)
{
	struct config *config = new_zero(struct config);

	for (size_t i = 0; i < ARRAY_LEN(always_there); i++)
		config_add_cluster(config, always_there[i])->backend = str_dup(always_there[i]);
	return config;
}

struct config *config_free(struct config *config)
{
	if (!config)
		return NULL;
	for (size_t i = 0; i < config->clusters.len; i++)
		cluster_finish(&config->clusters.items[i]);
	for (size_t i = 0; i < config->contexts.len; i++) {
		free(config->contexts.items[i].name);
		free(config->contexts.items[i].cluster);
		job_finish_options(&config->contexts.items[i].job);
	}
	free(config->clusters.items);
	free(config->contexts.items);
	free(config->context);
	cluster_finish(&config->defaults);
	config_texts_finish(&config->files);
	free(config);
	return NULL;
}

const struct config_context *config_find_context(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->contexts.len; i++) {
		if (strcmp(config->contexts.items[i].name, name) == 0)
			return &config->contexts.items[i];
	}
	return NULL;
}

const struct config_cluster *config_find_cluster(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->clusters.len; i++) {
		if (strcmp(config->clusters.items[i].name, name) == 0)
			return &config->clusters.items[i];
	}
	return NULL;
}

/* The name of a cluster, or of a context too, that is nearest to this one; NULL: none is near. */
static const char *nearest(const struct config *config, const char *name, bool contexts_too)
{
	unsigned int least = TEXT_CLOSE + 1, far;
	const char *close = NULL;

	for (size_t i = 0; i < config->clusters.len; i++) {
		far = text_distance(name, config->clusters.items[i].name);
		if (far < least) {
			least = far;
			close = config->clusters.items[i].name;
		}
	}
	for (size_t i = 0; contexts_too && i < config->contexts.len; i++) {
		far = text_distance(name, config->contexts.items[i].name);
		if (far < least) {
			least = far;
			close = config->contexts.items[i].name;
		}
	}
	return close;
}

int config_cluster(const struct config *config, const char *name, const struct config_cluster **ret,
		   struct err *err)
{
	const struct config_cluster *found = config_find_cluster(config, name);
	const char *close;

	if (found) {
		*ret = found;
		return 0;
	}
	close = nearest(config, name, false);
	if (close)
		return err_set(err, ERR_NOT_FOUND, "no cluster '%.60s': did you mean '%s'?", name,
			       close);
	return err_set(err, ERR_NOT_FOUND,
		       "no cluster '%.60s' in the configuration: 'berth get clusters' lists them",
		       name);
}

static int choose_context(const struct config *config, const char *name,
			  const struct config_context **ret_context,
			  const struct config_cluster **ret_cluster, struct err *err)
{
	const struct config_context *context = config_find_context(config, name);
	const char *close;

	if (context) {
		if (config_cluster(config, context->cluster ? context->cluster : name, ret_cluster,
				   err) < 0)
			return err_wrap(err, "context '%s'", name);
		*ret_context = context;
		return 0;
	}
	*ret_context = NULL;
	*ret_cluster = config_find_cluster(config, name);
	if (*ret_cluster)
		return 0;
	close = nearest(config, name, true);
	if (close)
		return err_set(err, ERR_NOT_FOUND, "no context '%.60s': did you mean '%s'?", name,
			       close);
	return err_set(err, ERR_NOT_FOUND,
		       "no context '%.60s', nor a cluster: 'berth get clusters' lists them", name);
}

int config_choose(const struct config *config, const struct config_choice *choice,
		  const struct config_context **ret_context,
		  const struct config_cluster **ret_cluster, struct err *err)
{
	const char *context = choice->context ? choice->context : config->context;

	if (!choice->cluster)
		return choose_context(config, context ? context : FALLBACK, ret_context,
				      ret_cluster, err);
	*ret_context = NULL;
	if (config_cluster(config, choice->cluster, ret_cluster, err) < 0)
		return -1;
	/* A context that was asked for beside it adds its options, if it is one of this cluster. */
	if (choice->context) {
		const struct config_context *found = config_find_context(config, choice->context);
		const char *its = found && found->cluster ? found->cluster : choice->context;

		if (!found && !config_find_cluster(config, choice->context))
			return err_set(err, ERR_NOT_FOUND, "no context '%.60s'", choice->context);
		if (found && strcmp(its, choice->cluster) == 0)
			*ret_context = found;
	}
	return 0;
}

static const void *member_of(const struct config *config, const struct config_cluster *cluster,
			     const char *name, size_t size)
{
	const struct config_setting *setting = config_find_setting(CONFIG_CLUSTER, name);
	const char *own = (const char *)cluster + setting->offset;

	for (size_t i = 0; i < size; i++) {
		if (own[i] != 0)
			return own;
	}
	return (const char *)&config->defaults + setting->offset;
}

const char *config_text(const struct config *config, const struct config_cluster *cluster,
			const char *name)
{
	return *(const char *const *)member_of(config, cluster, name, sizeof(char *));
}

uint64_t config_duration(const struct config *config, const struct config_cluster *cluster,
			 const char *name)
{
	return *(const uint64_t *)member_of(config, cluster, name, sizeof(uint64_t));
}

const struct config_texts *config_list(const struct config *config,
				       const struct config_cluster *cluster, const char *name)
{
	return member_of(config, cluster, name, sizeof(struct config_texts));
}

const struct config_relays *config_relays(const struct config *config,
					  const struct config_cluster *cluster)
{
	return member_of(config, cluster, "relays", sizeof(struct config_relays));
}

/*
 * What excludes each other in a specification must not come from two sides: who says --mem does not
 * want the cluster's --mem-per-cpu.
 */
static bool is_excluded(const struct spec *spec, const char *name)
{
	return (strcmp(name, "mem-per-cpu") == 0 && spec->memory) ||
	       (strcmp(name, "mem") == 0 && spec->memory_per_cpu) ||
	       (strcmp(name, "requeue") == 0 && spec->no_requeue) ||
	       (strcmp(name, "no-requeue") == 0 && spec->requeue);
}

/* Lists add to what is there: environment variables of both, the job's own last. */
static int prepend(struct spec *spec, const struct spec_option *option, const char *value,
		   struct err *err)
{
	struct opt_list *list = (struct opt_list *)(void *)((char *)spec + option->offset);

	if (option->check && option->check(option->name, value, err) < 0)
		return -1;
	if (list->len == OPT_LIST_MAX)
		return err_set(err, ERR_LIMIT, "--%s: given more than %d times", option->name,
			       OPT_LIST_MAX);
	memmove(list->items + 1, list->items, list->len * sizeof(*list->items));
	list->items[0] = value;
	list->len++;
	return 0;
}

static int fill(const struct config_job *job, struct spec *spec, struct err *err)
{
	const struct spec before = *spec;

	for (size_t i = job->names.len; i-- > 0;) {
		const struct spec_option *option = spec_find_option(job->names.items[i]);
		const char *value = job->values.items[i];
		int result = 0;

		if (option->type == OPT_TYPE_LIST)
			result = prepend(spec, option, value, err);
		else if (!spec_has(&before, option) && !is_excluded(&before, option->name))
			result = spec_set(spec, option, value, err);
		if (result < 0)
			return err_wrap(err, "%s", option->name);
	}
	return 0;
}

int config_fill_spec(const struct config *config, const struct config_context *context,
		     const struct config_cluster *cluster, struct spec *spec, struct err *err)
{
	const struct spec_option *allow = spec_find_option("allow");
	const struct config_texts *allowed = config_list(config, cluster, "allow");

	/* A script says what it needs in lines of its own, which sbatch reads. */
	if (!spec->script &&
	    ((context && fill(&context->job, spec, err) < 0) ||
	     fill(&cluster->job, spec, err) < 0 || fill(&config->defaults.job, spec, err) < 0))
		return err_wrap(err, "the configuration of cluster '%s'", cluster->name);
	for (size_t i = allowed->len; i-- > 0;) {
		if (prepend(spec, allow, allowed->items[i], err) < 0)
			return -1;
	}
	return 0;
}
