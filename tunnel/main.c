/* SPDX-License-Identifier: MIT */
/* berth-tunnel: the network side of berth, in the job and on the workstation. */
#include "init/base/verb.h"
#include "tunnel/cmd/cmd.h"
#include "tunnel/crypto/openssl.h"

/* clang-format off */
static const struct verb *const verbs[] = {
	&cmd_cp,
	&cmd_doctor,
	&cmd_exec,
	&cmd_forward,
	&cmd_keygen,
	&cmd_knock,
	&cmd_motd,
	&cmd_relay,
	&cmd_serve,
	&cmd_sftp,
	&cmd_ssh,
	&cmd_stat,
	NULL,
};
/* clang-format on */

static const struct program program = {
	.name = "berth-tunnel",
	.summary = "QUIC between a job and the workstation",
	.version = BERTH_VERSION,
	.verbs = verbs,
};

int main(int argc, char **argv)
{
	openssl_ignore_config();
	return verb_main(&program, argc, argv);
}
