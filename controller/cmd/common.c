/* SPDX-License-Identifier: MIT */
/* What verbs share; see cmd.h. */
#include "cmd.h"

#include <errno.h>
#include <unistd.h>

/* A job in a queue is worth as much patience as somebody who waits has. */
#define WAIT_NS (600 * NSEC_PER_SEC)

void cmd_show_notes(const struct notes *notes)
{
	for (size_t i = 0; i < notes->len; i++)
		fprintf(stderr, "berth: %s\n", notes->items[i]);
}

int cmd_become(const char *const *argv, struct err *err)
{
	fflush(NULL);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	if (errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "no program '%s'", argv[0]);
	return err_set_errno(err, errno, "run '%s'", argv[0]);
}

static void say(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "berth: %s\n", line);
}

uint64_t cmd_wait_ns(uint64_t asked_ns)
{
	return asked_ns ? asked_ns : WAIT_NS;
}

const struct progress *cmd_progress(void)
{
	static const struct progress progress = { .say = say };

	return &progress;
}

int cmd_connect(const char *verb, const struct ref *ref, uint64_t wait_ns, struct argv *ret,
		struct err *err)
{
	const struct connect_plan plan = { .ref = ref,
					   .verb = verb,
					   .wait_ns = cmd_wait_ns(wait_ns),
					   .progress = cmd_progress() };
	cleanup(controller_close) struct controller *c = NULL;

	if (controller_open(&c, err) < 0)
		return -1;
	return ops_connect(c, &plan, ret, err);
}
