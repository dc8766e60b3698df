/* SPDX-License-Identifier: MIT */
/* berth whoami: whom the token of a cluster is about, and until when. */
#include "controller/cmd/cmd.h"
#include "controller/cmd/get.h"
#include "controller/ops/login.h"
#include "controller/output/whoami.h"

static const struct opt opts[] = {
	OPT_STR('o', "output", struct get_args, output, "FORMAT",
		"table (default), json, yaml or name"),
	OPT_END,
};

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct get_args *args = opaque;
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(whoami_finish) struct whoami who = { 0 };
	struct output output;

	if (get_output(args, &output, err) < 0)
		return -1;
	if (output.format == OUTPUT_WIDE || output.format == OUTPUT_CSV)
		return err_set(err, ERR_INVALID,
			       "--output: '%s' is not one of table, json, yaml, name",
			       args->output);
	if (controller_open(&c, err) < 0 || ops_whoami(c, argc > 0 ? argv[0] : NULL, &who, err) < 0)
		return -1;
	return output_whoami(&(struct output_whoami){ .cluster = who.cluster,
						      .source = who.source,
						      .issuer = who.issuer,
						      .client_id = who.client_id,
						      .scopes = who.scopes,
						      .grant = who.grant,
						      .user = who.user,
						      .ends_ns = who.ends_ns,
						      .refresh_ends_ns = who.refresh_ends_ns,
						      .renews = who.renews,
						      .claims = who.claims },
			     &output, err);
}

const struct verb cmd_whoami = {
	.name = "whoami",
	.operands = "[CLUSTER]",
	.summary = "tell whom the token of a cluster is about, and when it ends",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct get_args),
	.operands_max = 1,
	.run = run,
};
