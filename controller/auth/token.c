/* SPDX-License-Identifier: MIT */
/* Where bearer tokens come from; see token.h. */
#include "token.h"

#include <string.h>

#include "controller/auth/jwt.h"
#include "controller/auth/login.h"
#include "controller/run/argv.h"
#include "controller/run/secret.h"
#include "init/base/fs.h"

#define SLURM_PREFIX "SLURM_JWT=" /* as `scontrol token` prints it */

struct token_source {
	char *cluster;
	char *file;
	struct argv command;
	struct login *login; /* NULL: file and command tell */
	char *token;	     /* of those; NULL: not asked for yet */
};

int token_source_open(const struct token_settings *settings, struct token_source **ret,
		      struct err *err)
{
	struct login *login = NULL;
	struct token_source *source;

	*ret = NULL;
	if (!settings->token_file && !settings->token_command && !settings->oidc)
		return 0;
	if (settings->oidc && login_open(settings, &login, err) < 0)
		return -1;
	source = new_zero(struct token_source);
	source->login = login;
	source->cluster = str_dup(settings->cluster);
	source->file = settings->token_file ? str_dup(settings->token_file) : NULL;
	if (settings->token_command)
		argv_add_all(&source->command, settings->token_command);
	*ret = source;
	return 0;
}

static void forget(struct token_source *source)
{
	if (source->token)
		explicit_bzero(source->token, strlen(source->token));
	free(source->token);
	source->token = NULL;
}

struct token_source *token_source_close(struct token_source *source)
{
	if (source) {
		forget(source);
		login_close(source->login);
		argv_finish(&source->command);
		free(source->cluster);
		free(source->file);
		free(source);
	}
	return NULL;
}

static int find(struct token_source *source, struct err *err)
{
	cleanup(buf_wipe) struct buf text = BUF_INIT(TOKEN_MAX);
	bool is_command = source->command.len > 0;
	const char *token;
	size_t len;

	if (is_command &&
	    secret_print("token_command", argv_words(&source->command), &text, err) < 0)
		return -1;
	if (!is_command && fs_read_file(source->file, TOKEN_MAX, &text, err) < 0)
		return err_wrap(err, "token_file");
	token = buf_str(&text);
	token += strspn(token, " \r\n\t");
	if (strncmp(token, SLURM_PREFIX, strlen(SLURM_PREFIX)) == 0)
		token += strlen(SLURM_PREFIX);
	len = strcspn(token, "\r\n");
	if (!oidc_is_token(span_of(token, len)))
		return err_set(err, ERR_INVALID,
			       "%s gives no token: its first line is the token, or what "
			       "'scontrol token' prints",
			       is_command ? "token_command" : "token_file");
	source->token = str_dup_len(token, len);
	return 0;
}

int token_get(struct token_source *source, bool fresh, const char **ret, struct err *err)
{
	if (source->login)
		return login_get(source->login, fresh, ret, err);
	if (fresh)
		forget(source);
	if (!source->token && find(source, err) < 0)
		return -1;
	*ret = source->token;
	return 0;
}

uint64_t token_end(const struct token_source *source)
{
	return source->token ? jwt_end(source->token) : 0;
}

struct login *token_login(struct token_source *source)
{
	return source->login;
}
