/* SPDX-License-Identifier: MIT */
/* berth relay check: whether a relay works from this machine. */
#include <string.h>

#include "controller/cmd/cmd.h"
#include "controller/ops/doctor.h"
#include "controller/ops/relay.h"
#include "controller/output/findings.h"

struct args {
	const char *key, *token, *relays, *output;
};

static const struct opt opts[] = {
	OPT_STR(0, "relay-key", struct args, key, "BASE64",
		"the public key that the relay must prove"),
	OPT_STR(0, "token", struct args, token, "FILE", "a file with our token"),
	OPT_STR(0, "relays", struct args, relays, "FILE",
		"a file of relays, as in tunnel.json, that has both"),
	OPT_STR('o', "output", struct args, output, "FORMAT",
		"of all that are configured: table (default), json, yaml or csv"),
	OPT_END,
};

static int check_configured(const struct args *args, struct err *err)
{
	cleanup(finding_list_finish) struct finding_list list = { 0 };
	struct output output = { .out = stdout };

	if (args->key || args->token || args->relays)
		return err_set(
			err, ERR_INVALID,
			"--relay-key, --token and --relays are about one relay: name its URL");
	if (output_parse_format(args->output, &output.format, err) < 0 ||
	    ops_doctor_relays(&list, err) < 0)
		return -1;
	return cmd_show_findings(&list, &output, err);
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(argv_finish) struct argv command = { 0 };
	const struct args *args = opaque;
	const struct relay_plan plan = { argc > 1 ? argv[1] : NULL, args->key, args->token,
					 args->relays };

	if (strcmp(argv[0], "check") != 0)
		return err_set(err, ERR_INVALID, "relay: '%s' is not check", argv[0]);
	if (!plan.url)
		return check_configured(args, err);
	if (controller_open(&c, err) < 0 || ops_relay_check(c, &plan, &command, err) < 0)
		return -1;
	return cmd_become(argv_words(&command), err);
}

const struct verb cmd_relay = {
	.name = "relay",
	.operands = "check [URL]",
	.summary = "look whether a relay works from here",
	.details =
		"Name, UDP, TCP, key, token and round trip, each with a plain sentence, within five "
		"seconds.\nWithout a URL, the relays of the configuration, or of --cluster, with their "
		"keys and\ntokens. `berth-tunnel relay` runs one.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 1,
	.operands_max = 2,
	.run = run,
};
