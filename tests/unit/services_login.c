/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "tunnel/services/login.h"

/* A directory with shells that can be run, one that cannot, and a passwd file. */
struct world {
	char dir[64];
	char shell_env[128];
	char *environment[2];
	const char *fallbacks[3];
	char names[4][96];
	char passwd[96];
	struct login_sources sources;
};

static void make_file(const char *path, const char *text, mode_t mode)
{
	struct err err = { 0 };

	assert_int_equal(fs_write_file(path, span_of_str(text), mode, &err), 0);
}

static int make_world(void **state)
{
	static const char *const names[] = { "zsh", "bash", "sh", "plain" };
	struct world *w = new_zero(struct world);
	char line[256];

	snprintf(w->dir, sizeof(w->dir), "/tmp/berth-login-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(w->names[i], sizeof(w->names[i]), "%s/%s", w->dir, names[i]);
		make_file(w->names[i], "#!/bin/sh\n", i < 3 ? 0755 : 0644);
	}
	snprintf(w->passwd, sizeof(w->passwd), "%s/passwd", w->dir);
	snprintf(line, sizeof(line), "root:x:0:0::/root:%s\nme:x:4711:4711::/nowhere:%s\n",
		 w->names[2], w->names[1]);
	make_file(w->passwd, line, 0644);
	snprintf(w->shell_env, sizeof(w->shell_env), "SHELL=%s", w->names[0]);
	w->environment[0] = w->shell_env;
	w->fallbacks[0] = w->names[3];
	w->fallbacks[1] = w->names[2];
	w->sources = (struct login_sources){ .environment = w->environment,
					     .passwd = w->passwd,
					     .fallbacks = w->fallbacks,
					     .uid = 4711 };
	*state = w;
	return 0;
}

static int drop_world(void **state)
{
	struct world *w = *state;

	assert_int_equal(fs_remove_tree(w->dir, NULL), 0);
	free(w);
	return 0;
}

static void assert_shell(struct world *w, const char *expected)
{
	char shell[PATH_MAX];
	struct err err = { 0 };

	assert_int_equal(login_shell(&w->sources, shell, &err), 0);
	assert_string_equal(shell, expected);
}

static void the_shell_of_the_environment_comes_first(void **state)
{
	struct world *w = *state;

	assert_shell(w, w->names[0]);
}

static void a_shell_that_cannot_be_run_is_passed_over(void **state)
{
	static const char *const bad[] = {
		"SHELL=",     "SHELL=zsh",	  "SHELL=/nonexistent/zsh",
		"SHELL=/tmp", "SHELL=/bin/false", "SHELL=/usr/sbin/nologin"
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(w->shell_env, sizeof(w->shell_env), "%s", bad[i]);
		assert_shell(w, w->names[1]);
	}
	snprintf(w->shell_env, sizeof(w->shell_env), "SHELL=%s", w->names[3]);
	assert_shell(w, w->names[1]);
	w->environment[0] = NULL;
	assert_shell(w, w->names[1]);
}

static void a_uid_without_an_account_gets_a_fallback(void **state)
{
	struct world *w = *state;

	w->environment[0] = NULL;
	w->sources.uid = 54321;
	assert_shell(w, w->names[2]);
	w->sources.uid = 4711;
	w->sources.passwd = "/nonexistent/passwd";
	assert_shell(w, w->names[2]);
}

static void without_any_shell_the_error_says_so(void **state)
{
	struct world *w = *state;
	char shell[PATH_MAX];
	struct err err = { 0 };

	w->environment[0] = NULL;
	w->sources.uid = 54321;
	w->fallbacks[1] = NULL;
	assert_int_equal(login_shell(&w->sources, shell, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(err.text, "no shell"));
}

static void a_shell_that_was_asked_for_comes_before_all_if_it_is_there(void **state)
{
	struct world *w = *state;

	w->sources.wanted = w->names[2];
	assert_shell(w, w->names[2]);
	w->sources.wanted = "/nonexistent/fish";
	assert_shell(w, w->names[0]);
}

static void where_the_image_has_no_shell_the_bundles_is_used(void **state)
{
	struct world *w = *state;

	w->environment[0] = NULL;
	w->sources.uid = 54321;
	w->fallbacks[0] = NULL;
	w->sources.tools = w->dir;
	assert_shell(w, w->names[2]);
}

static void an_account_is_what_passwd_says_of_the_uid(void **state)
{
	struct world *w = *state;
	cleanup(login_account_finish) struct login_account account = { 0 };

	login_account(&w->sources, &account);
	assert_string_equal(account.name, "me");
	assert_null(account.home); /* it does not exist */
	login_account_finish(&account);
	w->sources.uid = 0;
	login_account(&w->sources, &account);
	assert_string_equal(account.name, "root");
	assert_string_equal(account.home, "/root");
	login_account_finish(&account);
	w->sources.uid = 54321;
	login_account(&w->sources, &account);
	assert_null(account.name);
	assert_null(account.home);
}

static const struct login_session nothing;

static const char *value_of(char **environment, const char *name)
{
	return login_getenv(environment, span_of_str(name));
}

static void the_jobs_environment_is_kept_and_the_clients_wins(void **state)
{
	static struct process_start start;
	char first[] = "PATH=/opt/bin", second[] = "LANG=C", odd[] = "no equals sign";
	char *job[] = { first, second, odd, NULL };
	char **environment;

	(void)state;
	start = (struct process_start){ .env_len = 2,
					.env = { { span_of_str("LANG"), span_of_str("de_CH") },
						 { span_of_str("EMPTY"), span_of_str("") } } };
	environment = login_environment(job, &nothing, &start, NULL);
	assert_non_null(environment);
	assert_string_equal(environment[0], "PATH=/opt/bin");
	assert_string_equal(environment[1], "LANG=de_CH");
	assert_string_equal(environment[2], "no equals sign");
	assert_string_equal(value_of(environment, "EMPTY"), "");
	assert_non_null(value_of(environment, "SSH_CONNECTION"));
	assert_null(value_of(environment, "SSH_TTY"));
	assert_null(value_of(environment, "SSH_CLIENT"));
	assert_null(value_of(environment, "TERM"));
	login_environment_free(environment);
}

static void a_terminal_adds_its_name_and_type(void **state)
{
	static struct process_start start;
	struct login_session session = { 0 };
	char term[] = "TERM=dumb";
	char *job[] = { term, NULL };
	char **environment;

	(void)state;
	session.tty = "/dev/pts/7";
	start = (struct process_start){ .has_pty = true, .term = span_of_str("xterm") };
	environment = login_environment(job, &session, &start, NULL);
	assert_string_equal(value_of(environment, "TERM"), "xterm");
	assert_string_equal(value_of(environment, "SSH_TTY"), "/dev/pts/7");
	login_environment_free(environment);
}

static const struct login_session full = {
	.home = "/h",
	.user = "4711",
	.shell = "/bin/zsh",
	.tools = "/berth/bin",
	.vscode_folder = "/tmp/j/vscode",
};

static void what_the_job_does_not_say_is_filled_in(void **state)
{
	static struct process_start start;
	char *job[] = { NULL };
	char **environment = login_environment(job, &full, &start, NULL);

	(void)state;
	assert_string_equal(value_of(environment, "HOME"), "/h");
	assert_string_equal(value_of(environment, "USER"), "4711");
	assert_string_equal(value_of(environment, "LOGNAME"), "4711");
	assert_string_equal(value_of(environment, "SHELL"), "/bin/zsh");
	assert_string_equal(value_of(environment, "VSCODE_AGENT_FOLDER"), "/tmp/j/vscode");
	assert_non_null(strstr(value_of(environment, "PATH"), "/usr/bin:"));
	assert_non_null(strstr(value_of(environment, "PATH"), "/bin:/berth/bin"));
	login_environment_free(environment);
}

static void what_the_job_says_is_kept_but_for_the_shell_and_another_connection(void **state)
{
	static struct process_start start;
	char home[] = "HOME=/mine", user[] = "LOGNAME=me", path[] = "PATH=/opt/bin";
	char shell[] = "SHELL=/nonexistent", client[] = "SSH_CLIENT=192.0.2.1 1 22";
	char tty[] = "SSH_TTY=/dev/pts/99", folder[] = "VSCODE_AGENT_FOLDER=/mine/v";
	char *job[] = { home, user, path, shell, client, tty, folder, NULL };
	char **environment = login_environment(job, &full, &start, NULL);

	(void)state;
	assert_string_equal(value_of(environment, "HOME"), "/mine");
	assert_string_equal(value_of(environment, "USER"), "me");
	assert_string_equal(value_of(environment, "LOGNAME"), "me");
	assert_string_equal(value_of(environment, "PATH"), "/opt/bin:/berth/bin");
	assert_string_equal(value_of(environment, "SHELL"), "/bin/zsh");
	assert_string_equal(value_of(environment, "VSCODE_AGENT_FOLDER"), "/mine/v");
	assert_null(value_of(environment, "SSH_CLIENT"));
	assert_null(value_of(environment, "SSH_TTY"));
	login_environment_free(environment);
}

static void a_session_in_a_session_has_the_same_path(void **state)
{
	static struct process_start start;
	char path[] = "PATH=/opt/bin:/berth/bin";
	char *job[] = { path, NULL };
	char **environment = login_environment(job, &full, &start, NULL);

	(void)state;
	assert_string_equal(value_of(environment, "PATH"), "/opt/bin:/berth/bin");
	login_environment_free(environment);
}

static void names_and_values_that_no_environment_can_hold_are_refused(void **state)
{
	static const struct process_env bad[] = {
		{ { (const uint8_t *)"", 0 }, { (const uint8_t *)"v", 1 } },
		{ { (const uint8_t *)"A=B", 3 }, { (const uint8_t *)"v", 1 } },
		{ { (const uint8_t *)"A\0B", 3 }, { (const uint8_t *)"v", 1 } },
		{ { (const uint8_t *)"A", 1 }, { (const uint8_t *)"v\0w", 3 } },
	};
	static struct process_start start;
	char *job[] = { NULL };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err err = { 0 };

		start = (struct process_start){ .env_len = 1, .env = { bad[i] } };
		assert_null(login_environment(job, &nothing, &start, &err));
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_shell_of_the_environment_comes_first,
						make_world, drop_world),
		cmocka_unit_test_setup_teardown(a_shell_that_cannot_be_run_is_passed_over,
						make_world, drop_world),
		cmocka_unit_test_setup_teardown(a_uid_without_an_account_gets_a_fallback,
						make_world, drop_world),
		cmocka_unit_test_setup_teardown(without_any_shell_the_error_says_so, make_world,
						drop_world),
		cmocka_unit_test_setup_teardown(
			a_shell_that_was_asked_for_comes_before_all_if_it_is_there, make_world,
			drop_world),
		cmocka_unit_test_setup_teardown(where_the_image_has_no_shell_the_bundles_is_used,
						make_world, drop_world),
		cmocka_unit_test_setup_teardown(an_account_is_what_passwd_says_of_the_uid,
						make_world, drop_world),
		cmocka_unit_test(what_the_job_does_not_say_is_filled_in),
		cmocka_unit_test(
			what_the_job_says_is_kept_but_for_the_shell_and_another_connection),
		cmocka_unit_test(a_session_in_a_session_has_the_same_path),
		cmocka_unit_test(the_jobs_environment_is_kept_and_the_clients_wins),
		cmocka_unit_test(a_terminal_adds_its_name_and_type),
		cmocka_unit_test(names_and_values_that_no_environment_can_hold_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
