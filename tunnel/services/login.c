/* SPDX-License-Identifier: MIT */
/* Shell and environment of a process; see login.h. */
#include "login.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/cleanup.h"

/*
 * What sshd would tell about its peer: client address and port, server address and port. Programs
 * only test that it is there, or look whether the client is near. SSH_CLIENT is left out: with it
 * Debian's bash reads ~/.bashrc for every command.
 */
#define SSH_CONNECTION "127.0.0.1 65535 127.0.0.1 22"

static const char *const default_fallbacks[] = { "/bin/bash", "/bin/sh", NULL };

void login_sources_init(struct login_sources *sources, char *const *environment)
{
	*sources = (struct login_sources){
		.environment = environment,
		.passwd = "/etc/passwd",
		.fallbacks = default_fallbacks,
		.uid = getuid(),
	};
}

const char *login_getenv(char *const *environment, struct span name)
{
	for (; environment && *environment; environment++) {
		const char *equals = strchr(*environment, '=');

		if (equals &&
		    span_equal(span_of(*environment, (size_t)(equals - *environment)), name))
			return equals + 1;
	}
	return NULL;
}

static bool is_usable(const char *shell)
{
	static const char *const refusers[] = { "nologin", "false" };
	const char *base;
	struct stat st;

	if (!shell || shell[0] != '/' || strlen(shell) >= PATH_MAX)
		return false;
	base = strrchr(shell, '/') + 1;
	for (size_t i = 0; i < ARRAY_LEN(refusers); i++) {
		if (strcmp(base, refusers[i]) == 0)
			return false;
	}
	return stat(shell, &st) == 0 && S_ISREG(st.st_mode) && access(shell, X_OK) == 0;
}

/* Reads the file itself: a static program has no name service switch. */
static bool shell_of_uid(const struct login_sources *sources, char ret[PATH_MAX])
{
	FILE *file = fopen(sources->passwd, "re");
	const struct passwd *entry = NULL;
	bool found = false;

	while (file && !found && (entry = fgetpwent(file)))
		found = entry->pw_uid == sources->uid;
	if (found && is_usable(entry->pw_shell))
		snprintf(ret, PATH_MAX, "%s", entry->pw_shell);
	else
		found = false;
	if (file)
		fclose(file);
	return found;
}

int login_shell(const struct login_sources *sources, char ret[PATH_MAX], struct err *err)
{
	const char *shell = login_getenv(sources->environment, span_of_str("SHELL"));

	if (is_usable(shell)) {
		snprintf(ret, PATH_MAX, "%s", shell);
		return 0;
	}
	if (shell_of_uid(sources, ret))
		return 0;
	for (const char *const *at = sources->fallbacks; *at; at++) {
		if (is_usable(*at)) {
			snprintf(ret, PATH_MAX, "%s", *at);
			return 0;
		}
	}
	return err_set(err, ERR_NOT_FOUND,
		       "there is no shell in this job: SHELL, /etc/passwd, /bin/bash and /bin/sh "
		       "name none that can be run");
}

/* A list of "NAME=value"; room is made for all before the first is put. */
struct environment {
	char **items;
	size_t len;
};

static void put(struct environment *env, struct span name, struct span value)
{
	size_t at = 0;
	char *item = alloc_zero(name.len + value.len + 2, 1);

	memcpy(item, name.ptr, name.len);
	item[name.len] = '=';
	if (value.len > 0)
		memcpy(item + name.len + 1, value.ptr, value.len);
	while (at < env->len && strncmp(env->items[at], item, name.len + 1) != 0)
		at++;
	if (at == env->len)
		env->len++;
	free(env->items[at]);
	env->items[at] = item;
}

static void put_str(struct environment *env, const char *name, const char *value)
{
	put(env, span_of_str(name), span_of_str(value));
}

static bool has_byte(struct span s, int byte)
{
	return s.len > 0 && memchr(s.ptr, byte, s.len);
}

static int check(const struct process_start *start, struct err *err)
{
	for (size_t i = 0; i < start->env_len; i++) {
		const struct process_env *env = &start->env[i];

		if (env->name.len == 0 || has_byte(env->name, '=') || has_byte(env->name, '\0') ||
		    has_byte(env->value, '\0'))
			return err_set(err, ERR_INVALID,
				       "variable %zu has a name or value that "
				       "no environment can hold",
				       i + 1);
	}
	if (start->has_pty && has_byte(start->term, '\0'))
		return err_set(err, ERR_INVALID, "the terminal type has a NUL in it");
	return 0;
}

char **login_environment(char *const *job, const struct process_start *start, const char *tty,
			 struct err *err)
{
	struct environment env = { 0 };
	size_t job_len = 0;

	if (check(start, err) < 0)
		return NULL;
	while (job && job[job_len])
		job_len++;
	env.items = new_array(char *, job_len + 3 + start->env_len + 1);
	/* Exactly as the job has them, also what has no '=' or comes twice. */
	for (; env.len < job_len; env.len++)
		env.items[env.len] = str_dup(job[env.len]);
	if (start->has_pty && start->term.len > 0)
		put(&env, span_of_str("TERM"), start->term);
	/* Nobody came by ssh who asks for an argument list. */
	if (start->kind != PROCESS_ARGV) {
		put_str(&env, "SSH_CONNECTION", SSH_CONNECTION);
		if (start->has_pty)
			put_str(&env, "SSH_TTY", tty);
	}
	for (size_t i = 0; i < start->env_len; i++)
		put(&env, start->env[i].name, start->env[i].value);
	return env.items;
}

char **login_environment_free(char **environment)
{
	for (char **at = environment; at && *at; at++)
		free(*at);
	free(environment);
	return NULL;
}
