/* SPDX-License-Identifier: MIT */
/*
 * What the cluster's settings say about ways into its jobs, for `berth-tunnel keygen`: tokens are
 * read or asked for when a job is submitted, and travel in a file that only we can read.
 */
#include <inttypes.h>
#include <string.h>

#include "controller/auth/client_secret.h"
#include "controller/ops/place.h"
#include "controller/run/secret.h"
#include "init/base/fs.h"
#include "init/base/text.h"

#define RELAYS_MAX (256 * 1024)
#define TOKEN_MAX 4096

static int clean_token(const char *url, struct buf *text, char **ret, struct err *err)
{
	cleanup(client_secret_free) char *token = str_dup(buf_str(text));

	token[strcspn(token, "\r\n")] = '\0';
	if (token[0] == '\0')
		return err_set(err, ERR_INVALID, "the token for %s is empty", url);
	for (const char *p = token; *p; p++) {
		if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f)
			return err_set(err, ERR_INVALID, "the token for %s has odd characters",
				       url);
	}
	*ret = take_ptr(token);
	return 0;
}

static int run_command(const struct config_relay *relay, struct buf *ret, struct err *err)
{
	cleanup_free char *what = str_printf("token_command of %s", relay->url);
	cleanup(argv_finish) struct argv argv = { 0 };

	for (size_t i = 0; i < relay->token_command.len; i++)
		argv_add(&argv, relay->token_command.items[i]);
	return secret_print(what, argv_words(&argv), ret, err);
}

/* *ret is NULL for a relay that wants none. */
static int find_token(const struct controller *c, const struct config_relay *relay, char **ret,
		      struct err *err)
{
	cleanup(buf_wipe) struct buf text = BUF_INIT(TOKEN_MAX);
	cleanup_free char *file = NULL;

	*ret = NULL;
	if (relay->token_command.len > 0) {
		if (run_command(relay, &text, err) < 0)
			return -1;
		return clean_token(relay->url, &text, ret, err);
	}
	if (!relay->token_file)
		return 0;
	file = paths_expand(&c->paths, relay->token_file);
	if (fs_read_file(file, TOKEN_MAX, &text, err) < 0)
		return err_wrap(err, "token_file of %s", relay->url);
	return clean_token(relay->url, &text, ret, err);
}

static bool add_relay(struct buf *b, const struct config_relay *relay, const char *token)
{
	bool ok = buf_printf(b, "{\"url\": \"") && text_append_json(b, relay->url) &&
		  buf_printf(b, "\", \"key\": \"") && text_append_json(b, relay->key);

	if (token)
		ok = ok && buf_printf(b, "\", \"token\": \"") && text_append_json(b, token);
	return ok && buf_printf(b, "\"}");
}

static int write_relays(const struct controller *c, const struct config_relays *relays,
			const char *path, struct err *err)
{
	cleanup(buf_wipe) struct buf text = BUF_INIT(RELAYS_MAX);
	bool ok = buf_append_u8(&text, '[');

	for (size_t i = 0; ok && i < relays->len; i++) {
		cleanup(client_secret_free) char *token = NULL;

		if (find_token(c, &relays->items[i], &token, err) < 0)
			return -1;
		ok = (i == 0 || buf_append(&text, ", ", 2)) &&
		     add_relay(&text, &relays->items[i], token);
	}
	if (!ok || !buf_append(&text, "]\n", 2))
		return err_set(err, ERR_LIMIT, "too many relays");
	return fs_write_file(path, buf_span(&text), 0600, err);
}

int place_add_paths(struct controller *c, const struct where *where, const char *relays_file,
		    struct argv *argv, struct err *err)
{
	const struct config_relays *relays;
	const struct config_texts *paths;
	cleanup(buf_finish) struct buf list = BUF_INIT(RELAYS_MAX);
	uint64_t detach_ns;
	bool ok = true;

	if (!where->settings)
		return 0;
	relays = config_relays(c->config, where->settings);
	paths = config_list(c->config, where->settings, "paths");
	if (relays->len > 0) {
		if (write_relays(c, relays, relays_file, err) < 0)
			return -1;
		argv_add_words(argv, "--relays", relays_file, NULL);
	}
	for (size_t i = 0; ok && i < paths->len; i++)
		ok = buf_printf(&list, "%s%s", i ? "," : "", paths->items[i]);
	if (!ok)
		return err_set(err, ERR_LIMIT, "too many paths");
	if (paths->len > 0)
		argv_add_words(argv, "--paths", buf_str(&list), NULL);
	detach_ns = config_duration(c->config, where->settings, "detach_timeout");
	if (detach_ns > 0)
		argv_addf(argv, "--idle-timeout=%" PRIu64 "s",
			  MAX(detach_ns / NSEC_PER_SEC, UINT64_C(1)));
	if (where->login)
		argv_add_words(argv, "--login", where->login, NULL);
	return 0;
}
