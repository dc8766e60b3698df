/* SPDX-License-Identifier: MIT */
/* berth, the controller: submits jobs, follows them, and leads ssh into them. */
#include "controller/cmd/cmd.h"

static const struct verb *const verbs[] = {
	&cmd_run,     &cmd_get,	  &cmd_describe, &cmd_wait, &cmd_logs, &cmd_cancel,
	&cmd_release, &cmd_ssh,	  &cmd_exec,	 &cmd_cp,   &cmd_stat, &cmd_port_forward,
	&cmd_keys,    &cmd_proxy, &cmd_gc,	 NULL,
};

int main(int argc, char **argv)
{
	static const struct program program = {
		.name = "berth",
		.summary = "puts a job on a cluster and puts you inside it",
		.version = BERTH_VERSION,
		.verbs = verbs,
	};

	return verb_main(&program, argc, argv);
}
