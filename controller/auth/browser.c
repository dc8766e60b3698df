/* SPDX-License-Identifier: MIT */
/* Opens a page in the user's browser; see browser.h. */
#include "browser.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/run/argv.h"
#include "init/base/exec.h"

#define COMMANDS_MAX 8

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value && value[0];
}

bool browser_is_here(void)
{
	return is_set("BROWSER") || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
}

/* The words of one command; no shell sees them. */
static void add_command(const char *text, size_t len, const char *url, struct argv *argv)
{
	cleanup_free char *copy = str_dup_len(text, len);
	bool has_url = false;
	char *rest = copy, *word;

	while ((word = strsep(&rest, " "))) {
		char *at = strstr(word, "%s");

		if (!word[0])
			continue;
		has_url = has_url || at;
		if (at)
			argv_addf(argv, "%.*s%s%s", (int)(at - word), word, url, at + 2);
		else
			argv_add(argv, word);
	}
	if (argv->len > 0 && !has_url)
		argv_add(argv, url);
}

static void run_first(struct argv *commands, size_t len)
{
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; fd < 3 && null >= 0; fd++)
		dup2(null, fd);
	exec_reset_signals();
	for (size_t i = 0; i < len; i++) {
		if (commands[i].len > 0)
			execvp(commands[i].items[0], commands[i].items);
	}
	_exit(127);
}

int browser_open(const char *url, struct err *err)
{
	struct argv commands[COMMANDS_MAX] = { 0 };
	const char *browser = is_set("BROWSER") ? getenv("BROWSER") : "xdg-open";
	size_t len = 0;
	int os = 0;
	pid_t pid;

	for (; len < COMMANDS_MAX && browser; len++) {
		const char *end = strchrnul(browser, ':');

		add_command(browser, (size_t)(end - browser), url, &commands[len]);
		browser = *end ? end + 1 : NULL;
	}
	/* Its parent ends at once, so that nobody has to wait for it. */
	pid = fork();
	if (pid == 0) {
		setsid();
		if (fork() == 0)
			run_first(commands, len);
		_exit(0);
	}
	os = pid < 0 ? errno : 0;
	if (pid > 0)
		waitpid(pid, NULL, 0);
	for (size_t i = 0; i < len; i++)
		argv_finish(&commands[i]);
	return os ? err_set_errno(err, os, "start a browser") : 0;
}
