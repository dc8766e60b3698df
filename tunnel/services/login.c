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

/* Where programs are looked for when the job says nothing. */
#define LOGIN_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* HOME, USER, LOGNAME, SHELL, SSH_CONNECTION, TERM, SSH_TTY, VSCODE_AGENT_FOLDER, PATH */
#define OURS_MAX 9

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

/*
 * Reads the file itself: a static program has no name service switch. The entry is borrowed until
 * the next call.
 */
static const struct passwd *entry_of_uid(const struct login_sources *sources)
{
	FILE *file = fopen(sources->passwd, "re");
	const struct passwd *entry = NULL;

	while (file && (entry = fgetpwent(file)) && entry->pw_uid != sources->uid)
		;
	if (file)
		fclose(file);
	return entry;
}

void login_account(const struct login_sources *sources, struct login_account *ret)
{
	const struct passwd *entry = entry_of_uid(sources);
	struct stat st;

	*ret = (struct login_account){ 0 };
	if (!entry)
		return;
	if (entry->pw_name && entry->pw_name[0] != '\0')
		ret->name = str_dup(entry->pw_name);
	if (entry->pw_dir && entry->pw_dir[0] == '/' && stat(entry->pw_dir, &st) == 0 &&
	    S_ISDIR(st.st_mode))
		ret->home = str_dup(entry->pw_dir);
}

void login_account_finish(struct login_account *account)
{
	free(account->name);
	free(account->home);
	*account = (struct login_account){ 0 };
}

static bool take_shell(const char *shell, char ret[PATH_MAX])
{
	if (!is_usable(shell))
		return false;
	snprintf(ret, PATH_MAX, "%s", shell);
	return true;
}

static bool take_shell_of_uid(const struct login_sources *sources, char ret[PATH_MAX])
{
	const struct passwd *entry = entry_of_uid(sources);

	return entry && take_shell(entry->pw_shell, ret);
}

static bool take_shell_of_bundle(const struct login_sources *sources, char ret[PATH_MAX])
{
	cleanup_free char *shell = sources->tools ? str_printf("%s/sh", sources->tools) : NULL;

	return take_shell(shell, ret);
}

int login_shell(const struct login_sources *sources, char ret[PATH_MAX], struct err *err)
{
	const char *named = login_getenv(sources->environment, span_of_str("SHELL"));

	if (take_shell(sources->wanted, ret) || take_shell(named, ret) ||
	    take_shell_of_uid(sources, ret))
		return 0;
	for (const char *const *at = sources->fallbacks; *at; at++) {
		if (take_shell(*at, ret))
			return 0;
	}
	if (take_shell_of_bundle(sources, ret))
		return 0;
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

static void put_default(struct environment *env, const char *name, const char *value)
{
	if (value && !login_getenv(env->items, span_of_str(name)))
		put_str(env, name, value);
}

/* A search path that is empty means the current directory, which is nobody's wish. */
static void append_to_path(struct environment *env, const char *tools)
{
	const char *path = login_getenv(env->items, span_of_str("PATH"));
	cleanup_free char *longer = NULL;
	size_t len, tools_len;

	if (!path || path[0] == '\0')
		put_str(env, "PATH", path = LOGIN_PATH);
	if (!tools)
		return;
	len = strlen(path);
	tools_len = strlen(tools);
	/* A session in a session has it already. */
	if (len > tools_len && path[len - tools_len - 1] == ':' &&
	    strcmp(path + len - tools_len, tools) == 0)
		return;
	longer = str_printf("%s:%s", path, tools);
	put_str(env, "PATH", longer);
}

/* What describes a connection that is not this one. */
static bool is_stale(const char *item)
{
	static const char *const names[] = { "SSH_CLIENT=", "SSH_TTY=" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strncmp(item, names[i], strlen(names[i])) == 0)
			return true;
	}
	return false;
}

static void put_ours(struct environment *env, const struct login_session *session,
		     const struct process_start *start)
{
	put_default(env, "HOME", session->home);
	put_default(env, "USER", login_getenv(env->items, span_of_str("LOGNAME")));
	put_default(env, "USER", session->user);
	put_default(env, "LOGNAME", login_getenv(env->items, span_of_str("USER")));
	put_default(env, "VSCODE_AGENT_FOLDER", session->vscode_folder);
	if (start->has_pty && start->term.len > 0)
		put(env, span_of_str("TERM"), start->term);
	/* Nobody came by ssh, and no shell runs, for who asks for an argument list. */
	if (start->kind == PROCESS_ARGV) {
		put_default(env, "SHELL", session->shell);
		return;
	}
	if (session->shell)
		put_str(env, "SHELL", session->shell);
	put_str(env, "SSH_CONNECTION", SSH_CONNECTION);
	if (start->has_pty && session->tty)
		put_str(env, "SSH_TTY", session->tty);
}

char **login_environment(char *const *job, const struct login_session *session,
			 const struct process_start *start, struct err *err)
{
	struct environment env = { 0 };
	size_t job_len = 0;

	if (check(start, err) < 0)
		return NULL;
	while (job && job[job_len])
		job_len++;
	env.items = new_array(char *, job_len + OURS_MAX + start->env_len + 1);
	/* Exactly as the job has them, also what has no '=' or comes twice. */
	for (size_t i = 0; i < job_len; i++) {
		if (!is_stale(job[i]))
			env.items[env.len++] = str_dup(job[i]);
	}
	put_ours(&env, session, start);
	for (size_t i = 0; i < start->env_len; i++)
		put(&env, start->env[i].name, start->env[i].value);
	append_to_path(&env, session->tools);
	return env.items;
}

char **login_environment_free(char **environment)
{
	for (char **at = environment; at && *at; at++)
		free(*at);
	free(environment);
	return NULL;
}
