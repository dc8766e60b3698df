/* SPDX-License-Identifier: MIT */
/* berth, the controller: submits jobs, follows them, and leads ssh into them. */
#include <malloc.h>

#include "controller/auth/secret_env.h"
#include "controller/cmd/cmd.h"
#include "controller/model/json.h"

/* In the order of --help. */
/* clang-format off */
const struct verb *const cmd_verbs[] = {
	&cmd_run,
	&cmd_submit,
	&cmd_get,
	&cmd_describe,
	&cmd_find,
	&cmd_wait,
	&cmd_logs,
	&cmd_cancel,
	&cmd_signal,
	&cmd_hold,
	&cmd_release,
	&cmd_requeue,
	&cmd_update,
	&cmd_reprioritize,
	&cmd_ssh,
	&cmd_attach,
	&cmd_export,
	&cmd_import,
	&cmd_doctor,
	&cmd_exec,
	&cmd_cp,
	&cmd_ls,
	&cmd_rm,
	&cmd_mkdir,
	&cmd_mv,
	&cmd_chmod,
	&cmd_head,
	&cmd_tail,
	&cmd_checksum,
	&cmd_compress,
	&cmd_extract,
	&cmd_stat,
	&cmd_port_forward,
	&cmd_keys,
	&cmd_relay,
	&cmd_proxy,
	&cmd_gc,
	&cmd_init,
	&cmd_config,
	&cmd_use,
	&cmd_schema,
	&cmd_login,
	&cmd_logout,
	&cmd_whoami,
	&cmd_completion,
	&cmd_version,
	&cmd_complete_jobs,
	&cmd_complete_places,
	NULL,
};
/* clang-format on */

static const struct opt opts[] = {
	OPT_STR(0, "context", struct controller_choice, context, "NAME",
		"the context of berth-config(5) to use"),
	OPT_STR(0, "cluster", struct controller_choice, cluster, "NAME", "only this cluster"),
	OPT_COUNT('v', "verbose", struct controller_choice, verbose,
		  "tell what is done; twice: every request"),
	OPT_END,
};

static void say(const char *line)
{
	fprintf(stderr, "berth: %s\n", line);
}

/*
 * berth lives for milliseconds: memory is not given back before the end, large pieces grow in
 * place, and the kernel is asked for more of it at a time.
 */
static void allocate_for_a_moment(void)
{
	mallopt(M_MMAP_THRESHOLD, 256 * 1024 * 1024);
	mallopt(M_TRIM_THRESHOLD, 256 * 1024 * 1024);
	mallopt(M_TOP_PAD, 1024 * 1024);
}

int main(int argc, char **argv)
{
	static const struct program program = {
		.name = "berth",
		.summary = "puts a job on a cluster and puts you inside it",
		.version = BERTH_VERSION,
		.verbs = cmd_verbs,
		.opts = opts,
		.args = &controller_choice,
	};

	allocate_for_a_moment();
	secret_env_hide();
	json_wipe_freed();
	controller_choice.say = say;
	return verb_main(&program, argc, argv);
}
