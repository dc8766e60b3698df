/* SPDX-License-Identifier: MIT */
/* What verbs share; see cmd.h. */
#include "cmd.h"

#include <errno.h>
#include <unistd.h>

void cmd_show_notes(const struct notes *notes)
{
	for (size_t i = 0; i < notes->len; i++)
		fprintf(stderr, "berth: %s\n", notes->items[i]);
}

int cmd_exec(const char *const *argv, struct err *err)
{
	fflush(NULL);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	if (errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "no program '%s'", argv[0]);
	return err_set_errno(err, errno, "run '%s'", argv[0]);
}
