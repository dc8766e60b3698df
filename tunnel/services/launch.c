/* SPDX-License-Identifier: MIT */
/* From a START capsule to a running process; see launch.h. */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/cleanup.h"
#include "login.h"
#include "pty.h"
#include "scratch.h"
#include "spawn.h"
#include "subsystem.h"
#include "tunnel/net/session_file.h"

/* Both ends of the process's standard descriptors. */
struct stdio {
	int ours[3], theirs[3];
	char tty[32];
};

static void stdio_finish(struct stdio *stdio)
{
	for (int i = 0; i < 3; i++) {
		int theirs = stdio->theirs[i];

		/* The three of a terminal are one descriptor. */
		if (theirs >= 0 && (i == 0 || theirs != stdio->theirs[0]))
			close(theirs);
		if (stdio->ours[i] >= 0)
			close(stdio->ours[i]);
	}
}
DEFINE_CLEANUP_VALUE(struct stdio, stdio_finish)

/*
 * Pipes and not socket pairs: some shells take a socket on standard input for a remote login of
 * another kind and read files that they should not.
 */
static int open_pipes(struct stdio *ret, struct err *err)
{
	for (int i = 0; i < 3; i++) {
		int ends[2];

		if (pipe2(ends, O_CLOEXEC) < 0)
			return err_set_errno(err, errno, "pipe");
		ret->ours[i] = i == 0 ? ends[1] : ends[0];
		ret->theirs[i] = i == 0 ? ends[0] : ends[1];
	}
	return 0;
}

static int open_terminal(const struct process_start *start, struct stdio *ret, struct err *err)
{
	struct pty pty;

	if (pty_open(&start->window, start->modes, &pty, err) < 0)
		return -1;
	ret->ours[0] = pty.master;
	for (int i = 0; i < 3; i++)
		ret->theirs[i] = pty.slave;
	memcpy(ret->tty, pty.name, sizeof(ret->tty));
	return 0;
}

/* What is executed: file, and the arguments with the memory they point into. */
struct arguments {
	char *file, *text, *directory;
	char **argv;
	/* Nothing, or what greets before. */
	char *program, *dir;
	char rank[16], ranks[16];
	char *greeting[12];
};

static void arguments_finish(struct arguments *arguments)
{
	free(arguments->file);
	free(arguments->text);
	free(arguments->directory);
	free(arguments->argv);
	free(arguments->program);
	free(arguments->dir);
}
DEFINE_CLEANUP_VALUE(struct arguments, arguments_finish)

static const struct session_file *settings(const struct service_env *env)
{
	static const struct session_file defaults;

	return env->config.session ? env->config.session : &defaults;
}

static const char *own_program(const struct service_env *env)
{
	return env->config.program ? env->config.program : subsystem_program();
}

/* "-bash" for a login, "bash -c COMMAND" otherwise, as sshd has it. */
static void shell_arguments(const struct service_env *env, const struct process_start *start,
			    const char *shell, struct arguments *ret)
{
	static char dash_c[] = "-c";
	bool is_login = start->kind == PROCESS_SHELL;
	bool is_plain = !is_login || settings(env)->plain_shell;
	const char *base = strrchr(shell, '/') + 1;
	size_t len = strlen(base) + 2;

	ret->file = str_dup(shell);
	ret->argv = new_array(char *, 4);
	ret->text = alloc_zero(len + start->command.len + 1, 1);
	snprintf(ret->text, len, "%s%s", is_plain ? "" : "-", base);
	ret->argv[0] = ret->text;
	if (is_login)
		return;
	if (start->command.len > 0)
		memcpy(ret->text + len, start->command.ptr, start->command.len);
	ret->argv[1] = dash_c;
	ret->argv[2] = ret->text + len;
}

/*
 * Whoever logs in on a terminal is greeted, by a program that becomes the shell: it may wait for a
 * file system, which we may not.
 */
static void add_greeting(const struct service_env *env, const struct process_start *start,
			 struct arguments *ret)
{
	static char name[] = "motd", dir[] = "--dir", rank[] = "--rank", ranks[] = "--ranks",
		    end[] = "--";

	if (start->kind != PROCESS_SHELL || !start->has_pty || !env->config.session ||
	    settings(env)->no_motd)
		return;
	ret->program = str_dup(own_program(env));
	ret->dir = str_dup(env->config.dir);
	snprintf(ret->rank, sizeof(ret->rank), "%u", env->config.rank);
	ret->greeting[0] = ret->program;
	ret->greeting[1] = name;
	ret->greeting[2] = dir;
	ret->greeting[3] = ret->dir;
	ret->greeting[4] = rank;
	ret->greeting[5] = ret->rank;
	snprintf(ret->ranks, sizeof(ret->ranks), "%u", env->config.ranks);
	ret->greeting[6] = ranks;
	ret->greeting[7] = ret->ranks;
	ret->greeting[8] = end;
	ret->greeting[9] = ret->file;
	ret->greeting[10] = ret->argv[0];
}

/* The parser saw to it that every argument has its NUL and that there is one. */
static void list_arguments(const struct process_start *start, struct arguments *ret)
{
	const char *end;
	size_t len = 0;

	ret->text = str_dup_len((const char *)start->command.ptr, start->command.len);
	end = ret->text + start->command.len;
	for (const char *at = ret->text; at < end; at += strlen(at) + 1)
		len++;
	ret->argv = new_array(char *, len + 1);
	len = 0;
	for (char *at = ret->text; at < end; at += strlen(at) + 1)
		ret->argv[len++] = at;
	ret->file = str_dup(ret->argv[0]);
	if (start->directory.len > 0)
		ret->directory =
			str_dup_len((const char *)start->directory.ptr, start->directory.len);
}

static int subsystem_arguments(const struct service_env *env, const struct process_start *start,
			       struct arguments *ret, struct err *err)
{
	static char name[] = "berth-tunnel";
	char *verb = subsystem_verb(start->command, err);

	if (!verb)
		return -1;
	ret->file = str_dup(own_program(env));
	ret->argv = new_array(char *, 3);
	ret->argv[0] = name;
	ret->argv[1] = verb;
	return 0;
}

/*
 * Home: where the job has none, the account's; where that is none, a directory that can be written
 * to. User: where nobody has a name for the uid, its number, which programs take for one.
 */
static char **make_environment(const struct service_env *env, const struct login_sources *sources,
			       const char *shell, const struct process_start *start,
			       const char *tty, struct err *err)
{
	cleanup(login_account_finish) struct login_account account = { 0 };
	char home[PATH_MAX], folder[PATH_MAX], uid[16];
	struct login_session session = { .shell = shell, .tty = tty, .tools = sources->tools };
	struct scratch *scratch = env->config.scratch;

	login_account(sources, &account);
	snprintf(uid, sizeof(uid), "%u", (unsigned int)sources->uid);
	session.user = account.name ? account.name : uid;
	session.home = account.home;
	if (!session.home && !login_getenv(sources->environment, span_of_str("HOME")))
		session.home = scratch && scratch_make(scratch, "home", home) ? home : "/";
	if (scratch && !settings(env)->no_vscode_folder && scratch_make(scratch, "vscode", folder))
		session.vscode_folder = folder;
	return login_environment(env->config.environment, &session, start, err);
}

/* *shell is empty when there is none: a program that is named itself needs none. */
static int make_arguments(const struct service_env *env, const struct process_start *start,
			  const struct login_sources *sources, char shell[PATH_MAX],
			  struct arguments *ret, struct err *err)
{
	bool has_shell = login_shell(sources, shell, err) == 0;

	if (!has_shell)
		shell[0] = '\0';
	switch (start->kind) {
	case PROCESS_ARGV:
		list_arguments(start, ret);
		return 0;
	case PROCESS_SUBSYSTEM:
		return subsystem_arguments(env, start, ret, err);
	case PROCESS_SHELL:
	case PROCESS_EXEC:
		break;
	}
	if (!has_shell)
		return -1;
	shell_arguments(env, start, shell, ret);
	add_greeting(env, start, ret);
	return 0;
}

static int run(const struct service_env *env, const struct process_start *start,
	       const struct stdio *stdio, struct err *err)
{
	cleanup(arguments_finish) struct arguments arguments = { 0 };
	struct login_sources sources;
	char shell[PATH_MAX];
	char **environment;
	struct spawn spawn;
	pid_t pid;

	login_sources_init(&sources, env->config.environment);
	sources.wanted = settings(env)->shell;
	sources.tools = env->config.tools;
	if (make_arguments(env, start, &sources, shell, &arguments, err) < 0)
		return -1;
	environment =
		make_environment(env, &sources, shell[0] ? shell : NULL, start, stdio->tty, err);
	if (!environment)
		return -1;
	spawn = (struct spawn){
		.before = arguments.greeting[0] ? arguments.greeting : NULL,
		.file = arguments.file,
		.path = login_getenv(environment, span_of_str("PATH")),
		.directory = arguments.directory,
		.argv = arguments.argv,
		.environment = environment,
		.in = stdio->theirs[0],
		.out = stdio->theirs[1],
		.err = stdio->theirs[2],
		.is_tty = stdio->tty[0] != '\0',
		.limits = &env->limits,
	};
	pid = spawn_run(&spawn, err);
	login_environment_free(environment);
	return pid;
}

static bool has_nul(struct span s)
{
	return s.len > 0 && memchr(s.ptr, '\0', s.len);
}

int launch(const struct service_env *env, const struct process_start *start, struct launched *ret,
	   struct err *err)
{
	cleanup(stdio_finish) struct stdio stdio = { { -1, -1, -1 }, { -1, -1, -1 }, "" };
	/* A subsystem speaks a protocol, which a terminal would garble. */
	bool has_pty = start->has_pty && start->kind != PROCESS_SUBSYSTEM;
	pid_t pid;

	if (start->kind == PROCESS_ARGV ? has_nul(start->directory) : has_nul(start->command))
		return err_set(err, ERR_INVALID, "the %s has a NUL in it",
			       start->kind == PROCESS_ARGV ? "directory" : "command");
	if (has_pty ? open_terminal(start, &stdio, err) < 0 : open_pipes(&stdio, err) < 0)
		return -1;
	pid = run(env, start, &stdio, err);
	if (pid < 0)
		return -1;
	*ret = (struct launched){
		.pid = pid,
		.has_pty = has_pty,
		.in = take_fd(stdio.ours[0]),
		.out = take_fd(stdio.ours[1]),
		.err = take_fd(stdio.ours[2]),
	};
	return 0;
}
