/* SPDX-License-Identifier: MIT */
/* berth keys: which workstations get into a running job; another key for this one, or none. */
#include <inttypes.h>
#include <string.h>

#include "controller/cmd/cmd.h"
#include "controller/ops/jobs.h"
#include "controller/ops/rekey.h"

#define LIST_MAX 4096

struct args {
	const char *workstation;
};

static const struct opt opts[] = {
	OPT_STR('w', "workstation", struct args, workstation, "NAME",
		"revoke the key of this one only"),
	OPT_END,
};

static int rotate_key(struct controller *c, const struct job *job, const struct args *args,
		      struct err *err)
{
	cleanup(notes_finish) struct notes notes = { 0 };
	int result = ops_rotate_key(c, job, NULL, err);

	(void)args;
	if (result < 0)
		return -1;
	if (result > 0)
		notes_add(&notes, "%s", err->text);
	cmd_show_notes(&notes);
	printf("job-%" PRIu64 " has a new key; connections of the old one end\n", job->id);
	return 0;
}

static int revoke_key(struct controller *c, const struct job *job, const struct args *args,
		      struct err *err)
{
	if (ops_revoke_keys(c, job, args->workstation, err) < 0)
		return -1;
	if (args->workstation)
		printf("job-%" PRIu64 " lets %s in no more\n", job->id, args->workstation);
	else
		printf("job-%" PRIu64 " lets nobody in any more\n", job->id);
	return 0;
}

static int list_keys(struct controller *c, const struct job *job, const struct args *args,
		     struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(LIST_MAX);

	(void)args;
	if (ops_list_keys(c, job, &text, err) < 0)
		return -1;
	fputs(buf_str(&text), stdout);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct controller *c, const struct job *job, const struct args *args,
		   struct err *err);
} kinds[] = { { "list", list_keys }, { "rotate", rotate_key }, { "revoke", revoke_key } };

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(job_finish) struct job job = { 0 };
	const struct args *args = opaque;

	(void)argc;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(argv[0], kinds[i].name) != 0)
			continue;
		if (args->workstation && kinds[i].run != revoke_key)
			return err_set(err, ERR_INVALID, "--workstation is for 'keys revoke'");
		if (controller_open(&c, err) < 0 || ops_find_text(c, argv[1], &job, err) < 0 ||
		    ops_refresh_job(c, &job, err) < 0)
			return -1;
		return kinds[i].run(c, &job, args, err);
	}
	return err_set(err, ERR_INVALID, "keys: '%s' is none of list, rotate and revoke", argv[0]);
}

const struct verb cmd_keys = {
	.name = "keys",
	.operands = "list|rotate|revoke JOB",
	.summary = "which workstations get into a running job; replace or revoke their keys",
	.details = "A new key is tried before the old one is dropped. What came with that ends.\n"
		   "list marks this workstation with 'here'. revoke without -w lets nobody in.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 2,
	.operands_max = 2,
	.run = run,
};
