/* SPDX-License-Identifier: MIT */
/* Token sources of clusters; see tokens.h. */
#include "tokens.h"

#include <string.h>

static void add_words(struct argv *argv, const struct config_texts *words)
{
	for (size_t i = 0; i < words->len; i++)
		argv_add(argv, words->items[i]);
}

/* "openid profile"; NULL for none. */
static char *join(const struct config_texts *words)
{
	char *text = NULL;

	for (size_t i = 0; i < words->len; i++) {
		char *longer = str_printf("%s%s%s", i ? text : "", i ? " " : "", words->items[i]);

		free(text);
		text = longer;
	}
	return text;
}

static int open_source(struct controller *c, const struct where *where, struct token_source **ret,
		       struct err *err)
{
	const struct config_cluster *cluster = where->settings;
	cleanup(argv_finish) struct argv token_command = { 0 };
	cleanup(argv_finish) struct argv secret_command = { 0 };
	cleanup_free char *token_file =
		paths_expand(&c->paths, config_text(c->config, cluster, "token_file"));
	cleanup_free char *secret_file =
		paths_expand(&c->paths, config_text(c->config, cluster, "client_secret_file"));
	cleanup_free char *scopes = join(config_list(c->config, cluster, "scopes"));
	struct token_settings settings = {
		.cluster = where->cluster,
		.token_file = token_file,
		.oidc = config_text(c->config, cluster, "oidc"),
		.client_id = config_text(c->config, cluster, "client_id"),
		.client_secret_file = secret_file,
		.scopes = scopes,
		.grant = config_text(c->config, cluster, "grant"),
		.redirect_port = config_text(c->config, cluster, "redirect_port"),
		.state_dir = c->paths.state_dir,
	};

	add_words(&token_command, config_list(c->config, cluster, "token_command"));
	add_words(&secret_command, config_list(c->config, cluster, "client_secret_command"));
	settings.token_command = argv_words(&token_command);
	settings.client_secret_command = argv_words(&secret_command);
	return token_source_open(&settings, ret, err);
}

int tokens_of(struct controller *c, const struct where *where, struct token_source **ret,
	      struct err *err)
{
	*ret = NULL;
	if (!where->settings)
		return 0;
	for (size_t i = 0; i < c->tokens_len; i++) {
		if (strcmp(c->tokens[i].cluster, where->cluster) == 0) {
			*ret = c->tokens[i].source;
			return 0;
		}
	}
	if (c->tokens_len == CONTROLLER_CLUSTERS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d clusters", CONTROLLER_CLUSTERS_MAX);
	if (open_source(c, where, ret, err) < 0)
		return -1;
	c->tokens[c->tokens_len].cluster = str_dup(where->cluster);
	c->tokens[c->tokens_len++].source = *ret;
	return 0;
}
