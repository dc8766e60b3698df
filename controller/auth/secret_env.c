/* SPDX-License-Identifier: MIT */
/* Secrets in the environment; see secret_env.h. */
#include "secret_env.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/cleanup.h"

#define VARIABLES_MAX 64

/* "NAME=VALUE", for as long as the process lives. */
static char *variables[VARIABLES_MAX];
static size_t variables_len;

static void hide(char *variable)
{
	size_t name_len = strcspn(variable, "=");
	cleanup_free char *name = str_dup_len(variable, name_len);
	char *value = variable + name_len + (variable[name_len] == '=');

	variables[variables_len++] = str_dup(variable);
	unsetenv(name);
	explicit_bzero(value, strlen(value));
}

void secret_env_hide(void)
{
	char **at = environ;

	while (at && *at && variables_len < VARIABLES_MAX) {
		if (strncmp(*at, SECRET_ENV_PREFIX, strlen(SECRET_ENV_PREFIX)) == 0)
			hide(*at);
		else
			at++;
	}
}

void secret_env_show(void)
{
	for (size_t i = 0; i < variables_len; i++)
		putenv(variables[i]);
}

char *secret_env_name(const char *cluster)
{
	char *name = str_printf(SECRET_ENV_PREFIX "%s", cluster);

	for (char *p = name; *p; p++)
		*p = isalnum((unsigned char)*p) ? (char)toupper((unsigned char)*p) : '_';
	return name;
}

const char *secret_env_get(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < variables_len; i++) {
		if (strncmp(variables[i], name, len) == 0 && variables[i][len] == '=')
			return variables[i][len + 1] ? variables[i] + len + 1 : NULL;
	}
	return NULL;
}
