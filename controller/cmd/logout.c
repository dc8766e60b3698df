/* SPDX-License-Identifier: MIT */
/* berth logout: gives the tokens of a cluster back, and forgets them. */
#include "controller/cmd/cmd.h"
#include "controller/ops/login.h"

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(notes_finish) struct notes notes = { 0 };

	(void)opaque;
	if (controller_open(&c, err) < 0 ||
	    ops_logout(c, argc > 0 ? argv[0] : NULL, &notes, err) < 0)
		return -1;
	cmd_show_notes(&notes);
	return 0;
}

const struct verb cmd_logout = {
	.name = "logout",
	.operands = "[CLUSTER]",
	.summary = "give the tokens of a login back, and forget them",
	.mode = OPT_PERMUTE,
	.operands_max = 1,
	.run = run,
};
