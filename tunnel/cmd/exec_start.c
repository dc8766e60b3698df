/* SPDX-License-Identifier: MIT */
/* What the command line of exec asks for, as a START capsule; see exec_start.h. */
#include "exec_start.h"

#include <stdlib.h>
#include <string.h>

#include "tunnel/cmd/tty.h"
#include "tunnel/wire/process.h"

static int add_env(const struct opt_list *list, struct process_start *start, struct err *err)
{
	_Static_assert(OPT_LIST_MAX <= PROCESS_ENV_MAX, "every variable has a place");
	for (size_t i = 0; i < list->len; i++) {
		const char *text = list->items[i], *equals = strchr(text, '=');
		size_t len = equals ? (size_t)(equals - text) : strlen(text);
		const char *value = equals ? equals + 1 : getenv(text);

		if (len == 0)
			return err_set(err, ERR_INVALID, "--env: '%s' has no name", text);
		if (value) /* what we do not have is not passed on */
			start->env[start->env_len++] =
				(struct process_env){ span_of(text, len), span_of_str(value) };
	}
	return 0;
}

static int add_terminal(const struct exec_wish *wish, struct process_start *start, struct err *err)
{
	const char *term = getenv("TERM");

	if (!wish->terminal)
		return 0;
	if (!tty_window(&start->window))
		return err_set(err, ERR_INVALID, "--tty: there is no terminal here: leave -t out");
	start->has_pty = true;
	start->term = span_of_str(term ? term : "dumb");
	return 0;
}

int exec_start(const struct exec_wish *wish, int argc, char **argv, struct buf *ret,
	       struct err *err)
{
	static struct process_start start;
	cleanup(buf_finish) struct buf list = BUF_INIT(PROCESS_COMMAND_MAX);

	start = (struct process_start){ .kind = PROCESS_ARGV };
	if (argv[0][0] == '\0')
		return err_set(err, ERR_INVALID, "the program has no name");
	for (int i = 0; i < argc; i++) {
		if (!buf_append(&list, argv[i], strlen(argv[i]) + 1))
			return err_set(err, ERR_LIMIT, "the arguments are longer than %d bytes",
				       PROCESS_COMMAND_MAX);
	}
	start.command = buf_span(&list);
	if (wish->workdir)
		start.directory = span_of_str(wish->workdir);
	if (add_env(&wish->env, &start, err) < 0 || add_terminal(wish, &start, err) < 0)
		return -1;
	if (!process_start_format(&start, ret))
		return err_set(err, ERR_LIMIT, "--env: the variables are too long");
	return 0;
}
