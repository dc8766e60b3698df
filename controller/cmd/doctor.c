/* SPDX-License-Identifier: MIT */
/* berth doctor: what is wrong with this machine, its clusters, and the ways into a job. */
#include "controller/cmd/cmd.h"
#include "controller/ops/doctor.h"
#include "controller/output/findings.h"

struct args {
	const char *output;
};

static const struct opt opts[] = {
	OPT_STR('o', "output", struct args, output, "FORMAT",
		"table (default), json, yaml or csv: check, target, level, took_ms, text"),
	OPT_END,
};

int cmd_show_findings(const struct finding_list *list, const struct output *output, struct err *err)
{
	static const int statuses[] = {
		[FINDING_OK] = 0,
		[FINDING_NOTE] = 0,
		[FINDING_WARNING] = 1,
		[FINDING_FAILURE] = 2,
	};

	return output_findings(list, output, err) < 0 ? -1 : statuses[finding_list_worst(list)];
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	cleanup(finding_list_finish) struct finding_list list = { 0 };
	const struct args *args = opaque;
	struct output output = { .out = stdout };
	struct ref ref;

	if (output_parse_format(args->output, &output.format, err) < 0 ||
	    (argc > 0 && ref_parse(argv[0], &ref, err) < 0) ||
	    ops_doctor(argc > 0 ? &ref : NULL, &list, err) < 0)
		return -1;
	return cmd_show_findings(&list, &output, err);
}

const struct verb cmd_doctor = {
	.name = "doctor",
	.operands = "[JOB]",
	.summary = "find out what is wrong, and what to do about it",
	.details =
		"Looks at this machine and at each configured cluster; with a job at its state, where it\n"
		"listens, and every way into it by itself. It takes less than five seconds and changes\n"
		"nothing. The exit status is 0 when all is well, 1 when something could be better, 2 when\n"
		"something does not work.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_max = 1,
	.run = run,
};
